import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Supergraph } from '@apollo/federation-internals'
import { buildSubgraphSchema } from '@apollo/subgraph'
import {
  type GraphQLObjectType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  parse,
} from 'graphql'
import { compileWeights } from '../gateway/cost/weights.ts'
import { createResolvers as notifications } from '../subgraphs/notifications/resolvers.ts'
import { createResolvers as orders } from '../subgraphs/orders/resolvers.ts'
import { createResolvers as payments } from '../subgraphs/payments/resolvers.ts'
import { createResolvers as products } from '../subgraphs/products/resolvers.ts'
import { createResolvers as users } from '../subgraphs/users/resolvers.ts'
import { compose } from '../tools/compose.ts'
import { root, type ServiceName, serviceNames } from '../tools/services.ts'

// Resolvers are looked at, not called.
const nothing = {} as never
const resolvers: Record<ServiceName, object> = {
  users: users(nothing),
  products: products(nothing),
  orders: orders(nothing),
  payments: payments(nothing),
  notifications: notifications(nothing),
}

const read = (file: string) => readFileSync(join(root, file), 'utf8')
const { sdl = '' } = await compose()
const api = Supergraph.build(sdl, { supportedFeatures: null }).apiSchema().toGraphQLJSSchema()
const apiTypes = Object.values(api.getTypeMap()).filter((type) => !isIntrospectionType(type))
const roots = [api.getQueryType(), api.getMutationType()].filter((type) => type != null)

test('every type, field, argument and enum value has a description', () => {
  const missing: string[] = []
  const look = (name: string, thing: { description?: string | null | undefined }) => {
    if (!thing.description?.trim()) missing.push(name)
  }
  for (const type of apiTypes) {
    if (!roots.some((operation) => operation === type) && !isSpecifiedScalarType(type)) look(type.name, type)
    if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value)
    if (!isObjectType(type) && !isInputObjectType(type)) continue
    for (const field of Object.values(type.getFields())) {
      look(`${type.name}.${field.name}`, field)
      if ('args' in field) for (const arg of field.args) look(`${type.name}.${field.name}(${arg.name}:)`, arg)
    }
  }
  assert.deepEqual(missing, [])
})

test('a dead service costs only its own fields: root fields and fields on the entities of others are nullable', () => {
  const owners = new Map(
    entities()
      .filter(({ owned }) => owned)
      .map(({ service, type }) => [type.name, service]),
  )
  const onOthers = entities()
    .filter(({ service, type }) => owners.get(type.name) !== service)
    .flatMap(({ type }) => Object.values(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => field.name !== 'id')
  const onRoots = roots.flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
  const faults = [...onRoots, ...onOthers].filter(({ field }) => isNonNullType(field.type))
  assert.deepEqual(
    faults.map(({ type, field }) => `${type.name}.${field.name}`),
    [],
  )
})

test('every field of Query, Mutation and of an entity reference has a resolver', () => {
  const missing = serviceNames.flatMap((service) => {
    const map = resolvers[service] as Record<string, Record<string, unknown>>
    const schema = subgraphSchema(service)
    const rootFields = ['Query', 'Mutation'].flatMap((name) =>
      Object.keys((schema.getType(name) as GraphQLObjectType | undefined)?.getFields() ?? {})
        .filter((field) => !field.startsWith('_'))
        .map((field) => [name, field] as const),
    )
    const references = entities()
      .filter((entity) => entity.service === service && entity.resolvable)
      .map(({ type }) => [type.name, '__resolveReference'] as const)
    return [...rootFields, ...references]
      .filter(([type, field]) => !map[type]?.[field])
      .map(([type, field]) => `${service}: ${type}.${field}`)
  })
  assert.deepEqual(missing, [])
})

test('a mutation takes one input and returns a payload', () => {
  for (const { name, args, type } of Object.values(api.getMutationType()?.getFields() ?? {})) {
    assert.deepEqual(
      args.map((arg) => arg.name),
      ['input'],
      name,
    )
    assert.match(String(type), /Payload$/, name)
  }
})

test('every list says how long it is, and every connection is as long as its page', () => {
  const weights = compileWeights(parse(sdl), api)
  const objects = apiTypes.filter(isObjectType)
  const fields = objects.flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
  const sized = new Set<string>()
  for (const { type, field } of fields) {
    if (!/Connection$/.test(String(field.type))) continue
    const size = weights.listSize(type, field.name)
    assert.deepEqual([size?.slicingArguments, size?.sizedFields], [['first'], ['edges']], `${type.name}.${field.name}`)
    sized.add(`${getNamedType(field.type).name}.edges`)
  }
  const unsized = fields
    .filter(({ field }) => isListType(getNullableType(field.type)))
    .filter(({ type, field }) => !sized.has(`${type.name}.${field.name}`) && !weights.listSize(type, field.name))
  assert.deepEqual(
    unsized.map(({ type, field }) => `${type.name}.${field.name}`),
    [],
  )
})

function subgraphSchema(service: ServiceName) {
  return buildSubgraphSchema([{ typeDefs: parse(read(`schema/${service}.graphql`)) }])
}

/** The entities of every subgraph. One is owned where it is more than a key and what the others add. */
function entities() {
  return serviceNames.flatMap((service) =>
    Object.values(subgraphSchema(service).getTypeMap()).flatMap((type) => {
      const keys = isObjectType(type) ? (type.astNode?.directives ?? []).filter(({ name }) => name.value === 'key') : []
      if (!isObjectType(type) || keys.length === 0) return []
      const unresolvable = keys.every(({ arguments: args }) =>
        args?.some(({ name, value }) => name.value === 'resolvable' && value.kind === 'BooleanValue' && !value.value),
      )
      return [{ service, type, resolvable: !unresolvable, owned: type.description != null }]
    }),
  )
}
