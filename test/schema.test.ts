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
  isIntrospectionType,
  isListType,
  isObjectType,
  type OperationDefinitionNode,
  parse,
} from 'graphql'
import { compileWeights } from '../gateway/cost/weights.ts'
import { compileCosts, defaultListSize } from '../gateway/cost.ts'
import { publicFieldsOf } from '../gateway/stale/public.ts'
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

test('a search of the catalogue costs what counting it does, each of them, written out or sent as a variable', () => {
  const costOf = compileCosts(parse(sdl), api, { defaultListSize })
  const estimate = (source: string, variables = {}) => {
    const document = parse(source)
    return costOf(document, document.definitions[0] as OperationDefinitionNode).estimate(variables)
  }
  const page = 'edges { node { id } }'
  const filtered = estimate(`{ products(first: 1, filter: { inStock: true }) { ${page} } }`)
  const searched = estimate(`{ products(first: 1, filter: { inStock: true, search: "oak" }) { ${page} } }`)
  assert.equal(searched - filtered, 20)
  assert.equal(estimate(`{ products(first: 1, filter: { inStock: true }) { ${page} totalCount } }`) - filtered, 20)
  const whole = `query ($filter: ProductFilter) { products(first: 1, filter: $filter) { ${page} } }`
  assert.equal(estimate(whole, { filter: { inStock: true, search: 'oak' } }), searched)
  assert.equal(estimate(whole, { filter: { inStock: true, search: null } }), filtered)
  const text = `query ($text: String) { products(first: 1, filter: { inStock: true, search: $text }) { ${page} } }`
  assert.equal(estimate(text, { text: 'oak' }), searched)
  assert.equal(estimate(text), filtered)
  const field = `products(first: 1, filter: { inStock: true, search: "oak" }) { ${page} }`
  assert.equal(estimate(`{ a: ${field} b: ${field} }`), 2 * searched)
})

test('whatever is counted when it is asked for costs 20', () => {
  const weights = compileWeights(parse(sdl), api)
  const counts = apiTypes
    .filter(isObjectType)
    // What a mutation answers is counted once, and costs as a part of it.
    .filter(({ name }) => !/^Mutation$|Payload$/.test(name))
    .flatMap((type) => Object.keys(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => /Count$/.test(field))
  assert.ok(counts.length >= 2)
  for (const { type, field } of counts) assert.equal(weights.weightOfField(type, field), 20, `${type.name}.${field}`)
})

test('what is public says for how long it is fresh, unless an event tells that it changes', () => {
  const fields = publicFieldsOf(parse(sdl))
  const open = apiTypes
    .filter(isObjectType)
    .flatMap(({ name: type }) =>
      [...fields.of(type).keys()].flatMap((field) =>
        fields.maxAgeOf(type, field) === Number.POSITIVE_INFINITY ? `${type}.${field}` : [],
      ),
    )
  // product.updated tells of a product, with its price and in which category it stands.
  const product = 'id sku name description price category version createdAt updatedAt archived'.split(' ')
  const told = ['Query.product', 'Query.productBySku', 'Category.id', 'Money.amount', 'Money.currency']
  assert.deepEqual(open.sort(), [...told, ...product.map((field) => `Product.${field}`)].sort())
})

function subgraphSchema(service: ServiceName) {
  return buildSubgraphSchema([{ typeDefs: parse(read(`schema/${service}.graphql`)) }])
}

/** The entities of every subgraph. */
function entities() {
  return serviceNames.flatMap((service) =>
    Object.values(subgraphSchema(service).getTypeMap()).flatMap((type) => {
      const keys = isObjectType(type) ? (type.astNode?.directives ?? []).filter(({ name }) => name.value === 'key') : []
      if (!isObjectType(type) || keys.length === 0) return []
      const unresolvable = keys.every(({ arguments: args }) =>
        args?.some(({ name, value }) => name.value === 'resolvable' && value.kind === 'BooleanValue' && !value.value),
      )
      return [{ service, type, resolvable: !unresolvable }]
    }),
  )
}
