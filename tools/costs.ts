/**
 * `npm run costs`: what every operation that clients send costs, and whether one costs more than the gateway allows.
 * Operations are recorded in `schema/operations/<client>/<name>.graphql`. Each is reckoned twice:
 *
 *   default  numbers have their defaults, lists that are sent have one entry
 *   most     numbers are 100, the largest page, and lists that are sent have 100 entries
 *
 * All else that can be sent is, and of what `@skip` and `@include` ask, the dearer answer counts.
 */
import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Supergraph } from '@apollo/federation-internals'
import {
  type GraphQLInputType,
  GraphQLInt,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  Kind,
  type NamedTypeNode,
  type OperationDefinitionNode,
  parse,
  typeFromAST,
} from 'graphql'
import { compileCosts, defaultListSize, defaultMaxCost } from '../gateway/cost.ts'
import { root } from './services.ts'

const folder = join(root, 'schema/operations')
const largestPage = 100

const sdl = readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8')
const schema = Supergraph.build(sdl, { supportedFeatures: null }).apiSchema().toGraphQLJSSchema()
const costOf = compileCosts(parse(sdl), schema, { defaultListSize })

const rows = globSync('*/*.graphql', { cwd: folder })
  .sort()
  .map((file) => {
    const document = parse(readFileSync(join(folder, file), 'utf8'))
    const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
    if (!operation) throw new Error(`${relative(root, join(folder, file))} has no operation.`)
    const cost = costOf(document, operation)
    const dearest = (page: number | undefined) =>
      Math.max(...[true, false].map((flag) => cost.estimate(variablesOf(schema, operation, page, flag))))
    return { name: file.replace(/\.graphql$/, ''), usual: dearest(undefined), most: dearest(largestPage) }
  })

const width = Math.max(...rows.map(({ name }) => name.length), 'operation'.length)
const line = (name: string, usual: string, most: string) =>
  `${name.padEnd(width)} ${usual.padStart(9)} ${most.padStart(9)}`
console.log(line('operation', 'default', 'most'))
for (const { name, usual, most } of rows) console.log(line(name, usual.toLocaleString('en'), most.toLocaleString('en')))

const tooDear = rows.filter(({ most }) => most > defaultMaxCost)
console.log(`\nThe limit is ${defaultMaxCost.toLocaleString('en')}.`)
if (tooDear.length > 0) console.error(`Above it: ${tooDear.map(({ name }) => name).join(', ')}`)
process.exitCode = tooDear.length > 0 ? 1 : 0

/** Values for all variables of an operation. Without a page, numbers are absent: they have their defaults. */
function variablesOf(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  page: number | undefined,
  flag: boolean,
): Record<string, unknown> {
  const value = (type: GraphQLInputType, above: readonly unknown[] = []): unknown => {
    if (isNonNullType(type)) return value(type.ofType, above)
    if (isListType(type)) return new Array(page ?? 1).fill(value(type.ofType, above))
    if (type === GraphQLInt) return page
    if (isEnumType(type)) return type.getValues()[0]?.name
    if (!isInputObjectType(type)) return type.name === 'Boolean' ? flag : ''
    // An input object in itself is sent once.
    if (above.includes(type)) return null
    const fields = Object.values(type.getFields())
    return Object.fromEntries(fields.map((field) => [field.name, value(field.type, [...above, type])]))
  }
  return Object.fromEntries(
    variableDefinitions.map(({ variable, type: node }) => {
      const type = typeFromAST(schema, node as NamedTypeNode)
      return [variable.name.value, isInputType(type) ? value(type) : undefined]
    }),
  )
}
