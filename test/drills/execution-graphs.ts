import { composeServices } from '@apollo/composition'
import { buildSubgraphSchema } from '@apollo/subgraph'
import fc from 'fast-check'
import {
  type DocumentNode,
  defaultTypeResolver,
  execute,
  type GraphQLFieldResolver,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  parse,
} from 'graphql'
import type { Response } from '../../gateway/forward/response.ts'

/** A field of an entity: where it is resolved, and what it says. */
type Field = { name: string; subgraph: number; type: string; requires: boolean; provides: boolean; list: boolean }
type Entity = { name: string; fields: Field[] }

/** A supergraph made at random, and what its subgraphs answer. */
export type RandomGraph = {
  readonly supergraphSdl: string
  readonly sdls: readonly string[]
  /** Answers as a subgraph would. What it answers, and what fails, depends on what is asked for alone. */
  readonly answer: (subgraph: string, operation: string, variables: Record<string, unknown>) => Promise<Response>
}

const entityNames = ['E0', 'E1', 'E2', 'E3']
const scalars = [
  'String',
  'Int',
  'Float!',
  'ID',
  'Level',
  'Boolean!',
  '[String!]',
  '[[Int]!]',
  'Value',
  'Value!',
  '[Value!]',
]

const fieldType = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...scalars) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...entityNames, 'Node', 'Any'),
        fc.constantFrom('T', 'T!', '[T]', '[T!]', '[T!]!', '[[T]]'),
      )
      .map(([name, shape]) => shape.replace('T', name)),
  },
)

const shape = fc.record({
  subgraphs: fc.integer({ min: 2, max: 4 }),
  entities: fc.array(
    fc.array(
      fc.record({
        type: fieldType,
        subgraph: fc.nat(3),
        requires: fc.boolean(),
        provides: fc.boolean(),
        list: fc.boolean(),
      }),
      { minLength: 2, maxLength: 5 },
    ),
    { minLength: 4, maxLength: 4 },
  ),
  interfaceObject: fc.boolean(),
  salt: fc.nat(1_000_000),
  failures: fc.constantFrom(0, 0, 0.03, 0.15),
})

/** Undefined where what was made at random does not compose. */
export const randomGraph = shape.map(
  ({ subgraphs, entities: made, interfaceObject, salt, failures }): RandomGraph | undefined => {
    const entities = entityNames.map(
      (name, index): Entity => ({
        name,
        fields: (made[index] ?? []).map((field, n) => ({
          ...field,
          name: `f${n}`,
          subgraph: field.subgraph % subgraphs,
        })),
      }),
    )
    const sdls = Array.from({ length: subgraphs }, (_, subgraph) =>
      sdlOf(subgraph, subgraphs, entities, interfaceObject),
    )
    const services = sdls.map((sdl, index) => ({ name: `s${index}`, url: `http://s${index}`, typeDefs: parse(sdl) }))
    const { supergraphSdl } = composeServices(services)
    if (!supergraphSdl) return undefined
    const chance = chances(salt)
    const schemas = new Map(services.map(({ name, typeDefs }) => [name, schemaOf(typeDefs, chance, failures)]))
    return {
      supergraphSdl,
      sdls,
      async answer(subgraph, operation, variables) {
        if (chance('fetch', subgraph, operation) < failures / 3) {
          return { data: null, errors: [{ message: `${subgraph} is away`, extensions: { code: 'AWAY' } }] }
        }
        const schema = schemas.get(subgraph)
        if (!schema) throw new Error(`There is no ${subgraph}.`)
        const result = await execute({ schema, document: parse(operation), variableValues: variables })
        // As it comes over the wire.
        return JSON.parse(JSON.stringify(result))
      },
    }
  },
)

const names = 'E0 | E1 | E2 | E3'

function sdlOf(subgraph: number, count: number, entities: readonly Entity[], interfaceObject: boolean): string {
  const last = subgraph === count - 1
  const asInterface = interfaceObject ? subgraph === 0 : true
  const asObject = interfaceObject && last
  const nodes = entities.map(({ name, fields }) => {
    const mine = fields
      .filter((field) => field.subgraph === subgraph)
      .map((field) => fieldSdl(field, fields, asInterface || asObject))
    const externals = externalsOf(subgraph, fields)
    // What another subgraph provides must be shareable where it is at home.
    return `type ${name} ${asInterface ? 'implements Node ' : ''}@key(fields: "id") {
      id: ID!
      ${[...mine, ...externals].join('\n      ')}
    }`
  })
  const node = asInterface ? `interface Node ${interfaceObject ? '@key(fields: "id") ' : ''}{ id: ID! }` : ''
  const object = asObject
    ? 'type Node @interfaceObject @key(fields: "id") { id: ID! extra(size: Int = 3): String  level: Level! }'
    : ''
  const anyNode = asInterface || asObject
  return `
    extend schema @link(
      url: "https://specs.apollo.dev/federation/v2.9"
      import: ["@key", "@shareable", "@external", "@requires", "@provides", "@interfaceObject"]
    )
    ${asObject ? '' : `${node}\n    ${nodes.join('\n    ')}\n    union Any = ${names}`}
    ${object}
    enum Level @shareable { LOW HIGH }
    type Value @shareable { a: String b(size: Int): [Int] c: Level inner: Value }
    type Query {
      ${asObject ? '' : entities.map(({ name }) => `q${subgraph}${name}(n: Int): ${name}  q${subgraph}${name}s(n: Int = 3): [${name}!]`).join('\n      ')}
      ${asObject ? '' : `any${subgraph}(n: Int!): [Any]`}
      ${anyNode ? `node${subgraph}: Node  nodes${subgraph}: [Node!]` : ''}
      value${subgraph}: Value!
    }
    ${subgraph === 0 ? 'type Mutation { change0: E0 change1: E1! }' : subgraph === 1 && !asObject ? 'type Mutation { touch: E2 }' : ''}
  `.replaceAll('enum Level @shareable', 'enum Level')
}

function fieldSdl({ name, type, requires }: Field, fields: readonly Field[], hasNode: boolean): string {
  const required = requires ? externalFor(name, fields) : undefined
  const known = hasNode ? type : type.replace('Node', 'E0')
  return `${name}: ${known}${required ? ` @requires(fields: "${required.name}")` : ''}`
}

/** A scalar of another subgraph that a field may require. */
function externalFor(name: string, fields: readonly Field[]): Field | undefined {
  const field = fields.find((each) => each.name === name)
  return fields.find(
    (other) =>
      other.subgraph !== field?.subgraph && !other.requires && ['String', 'Int', 'Float!'].includes(other.type),
  )
}

function externalsOf(subgraph: number, fields: readonly Field[]): string[] {
  const needed = fields
    .filter((field) => field.subgraph === subgraph && field.requires)
    .flatMap(({ name }) => externalFor(name, fields) ?? [])
  return [...new Set(needed)].map(({ name, type }) => `${name}: ${type} @external`)
}

type Chance = (...of: unknown[]) => number

/** Numbers from 0 to 1 that depend on what they are asked for. FNV-1a. */
function chances(salt: number): Chance {
  return (...of) => {
    let hash = 2_166_136_261 ^ salt
    for (const character of of.join('/')) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619)
    hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_507)
    hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909)
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
  }
}

type Thing = { __typename: string; id: string }

function schemaOf(typeDefs: DocumentNode, chance: Chance, failures: number): GraphQLSchema {
  const schema = buildSubgraphSchema([{ typeDefs }])
  const resolve: GraphQLFieldResolver<Thing | undefined, unknown> = (
    parent,
    args,
    _context,
    { parentType, fieldName, returnType },
  ) => {
    const own = parent?.id ?? ''
    if (fieldName === 'id') return own
    const typename = parentType.name === 'Node' ? 'Node' : parentType.name
    const where = `${parentType.name === 'Node' ? 'any' : typename}:${own}.${fieldName}`
    if (chance('fails', where) < failures) throw new Error(`${typename}:${own}.${fieldName} fails`)
    return sample(returnType, `${where}(${JSON.stringify(args)})`)
  }

  function sample(type: GraphQLOutputType, where: string): unknown {
    if (isNonNullType(type))
      return chance('broken', where) < failures / 5
        ? null
        : (sample(type.ofType, where) ?? sample(type.ofType, `${where}!`) ?? sample(type.ofType, `${where}!!`))
    if (chance('null', where) < 0.1) return null
    if (isListType(type)) {
      const length = Math.floor(chance('length', where) * 4)
      return Array.from({ length }, (_, index) => sample(type.ofType, `${where}[${index}]`))
    }
    const number = Math.floor(chance('value', where) * 1_000)
    const name = getNamedType(type).name
    if (isEnumType(type)) return number % 2 ? 'LOW' : 'HIGH'
    if (isObjectType(type) && /^E\d$/.test(name)) return { __typename: name, id: String(number % 7) }
    if (isObjectType(type)) return { __typename: name, id: name === 'Node' ? String(number % 7) : where }
    // Of an interface with a key, each id is of one type.
    if (isInterfaceType(type) || isUnionType(type)) {
      const id = number % 7
      return { __typename: entityNames[Math.floor(chance('type', id) * 4)], id: String(id) }
    }
    return { Int: number, Float: number / 8, Boolean: number % 2 === 0 }[name] ?? `${name} ${number}`
  }

  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('_') || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields()))
      if (!field.name.startsWith('_')) field.resolve = resolve as GraphQLFieldResolver<unknown, unknown>
    if (type.name === 'Query' || type.name === 'Mutation') continue
    type.extensions = {
      ...type.extensions,
      apollo: {
        ...((type.extensions['apollo'] as object | undefined) ?? {}),
        subgraph: {
          resolveReference(reference: Thing) {
            const where = `${type.name}:${reference.id}`
            if (chance('lost', where) < failures) throw new Error(`${where} is lost`)
            return chance('gone', where) < failures ? null : reference
          },
        },
      },
    }
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (isInterfaceType(type) || isUnionType(type)) type.resolveType ??= defaultTypeResolver
  }
  return schema
}
