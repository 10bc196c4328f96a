import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { createHealth } from '#platform/health.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import { createSubgraph } from '#platform/subgraph.ts'
import type { StockedProduct } from '../domain/catalogue.ts'
import { createContext } from '../loaders.ts'
import { createResolvers } from '../resolvers.ts'
import { createInstance, openProducts, type Products } from './open-products.ts'

/** What a request costs in statements, through the subgraph as the gateway asks it. */

let products: Products
let all: StockedProduct[]
before(async () => {
  products = await openProducts()
  const shelves = [await products.category('Tools'), await products.category('Books')]
  all = []
  for (let n = 0; n < 100; n++) all.push(await products.product({ stock: n, categoryId: shelves[n % 2]?.id ?? '' }))
})
after(() => products.close())

/** Asks an instance that remembers nothing yet. Answers with the data, and how many statements it took. */
async function ask(query: string, variables: object = {}, app?: FastifyInstance) {
  const asked = app ?? (await openSubgraph())
  const [count, { data, errors }] = await products.statementsOf(() => send(query, variables, asked))
  if (!app) await asked.close()
  assert.equal(errors, undefined)
  return { count, data }
}

async function send(query: string, variables: object, app: FastifyInstance) {
  const response = await app.inject({ method: 'POST', url: '/graphql', payload: { query, variables } })
  return response.json()
}

/** Its categories are remembered, however long a test takes. */
async function openSubgraph(): Promise<FastifyInstance> {
  const { service, reading } = await createInstance({ store: products.store, clock: () => 0 })
  return createSubgraph({
    schemaFile: new URL('../../../schema/products.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, reading),
    verifyPrincipal: async () => ({ sub: null, sid: null, scopes: [], anonymous: true, address: null }),
    lifecycle: { ready: true, stopping: false, onStop() {} },
    health: createHealth([]),
    mask: createMask({ service: 'products', log }),
  })
}

const entities = `query ($representations: [_Any!]!) {
  _entities(representations: $representations) { ... on Product { id sku name category { name } FIELDS } }
}`
const byId = () => all.map(({ id }) => ({ __typename: 'Product', id }))
const bySku = () => all.map(({ sku }) => ({ __typename: 'Product', sku }))

test('a list of 100 products with their categories and stock is two statements', async (context) => {
  const query =
    '{ products(first: 100) { edges { node { name available inStock category { name parent { name } } } } } }'
  const { count, data } = await ask(query)
  assert.equal(data.products.edges.length, 100)
  assert.deepEqual(
    new Set(data.products.edges.map(({ node }: { node: { category: { name: string } } }) => node.category.name)),
    new Set(['Tools', 'Books']),
  )
  context.diagnostic(`100 products with their categories: ${count} SQL statements`)
  assert.equal(count, 2)
})

test('100 references by id or by SKU are one statement for products, one for categories, and none once they are remembered', async () => {
  const query = entities.replace('FIELDS', '')
  for (const representations of [byId(), bySku()]) {
    const app = await openSubgraph()
    const cold = await ask(query, { representations }, app)
    assert.deepEqual(
      cold.data._entities.map(({ sku }: StockedProduct) => sku),
      all.map(({ sku }) => sku),
    )
    assert.equal(cold.count, 2)
    const warm = await ask(query, { representations }, app)
    assert.deepEqual(warm.data, cold.data)
    assert.equal(warm.count, 0)
    await app.close()
  }
})

test('how many there are is one more statement, and is never remembered', async () => {
  const query = entities.replace('FIELDS', 'available inStock').replace('category { name }', '')
  const app = await openSubgraph()
  const cold = await ask(query, { representations: byId() }, app)
  assert.deepEqual(
    cold.data._entities.map(({ available }: StockedProduct) => available),
    all.map(({ available }) => available),
  )
  assert.equal(cold.count, 2)
  const [first] = all
  await products.adjust(first?.id ?? '', 5)
  const warm = await ask(query, { representations: byId() }, app)
  assert.equal(warm.count, 1)
  assert.equal(warm.data._entities[0].available, (first?.available ?? 0) + 5)
  await products.adjust(first?.id ?? '', -5)
  await app.close()
})

test('how many there are of what many requests ask for at once is read by a few statements', async () => {
  const app = await openSubgraph()
  const query = '{ product(id: "ID") { id available category { name } } }'
  const page = (id: string) => send(query.replace('ID', id), {}, app)
  for (const { id } of all) await page(id)
  const [count, answers] = await products.statementsOf(() => Promise.all(all.map(({ id }) => page(id))))
  assert.deepEqual(
    answers.map(({ data }) => [data.product.id, data.product.available]),
    all.map(({ id, available }) => [id, available]),
  )
  assert.ok(count <= 10, `${count} statements`)
  await app.close()
})

test('references by id and by SKU in one request are one statement each', async () => {
  const representations = [...byId().slice(0, 50), ...bySku().slice(50)]
  const { count, data } = await ask(entities.replace('FIELDS', '').replace('category { name }', ''), {
    representations,
  })
  assert.equal(data._entities.length, 100)
  assert.equal(count, 2)
})

test('a SKU that none can be is not found, and its neighbours are', async () => {
  const app = await openSubgraph()
  const [first] = all
  const skus = ['a\0b', '\ud800', 'x'.repeat(100_000), ' ', first?.sku ?? '']
  const representations = skus.map((sku) => ({ __typename: 'Product', sku }))
  const query = entities.replace('FIELDS', '').replace('category { name }', '')
  const { data, errors } = await send(query, { representations }, app)
  assert.deepEqual(
    data._entities.map((found: StockedProduct | null) => found?.id),
    [undefined, undefined, undefined, undefined, first?.id],
  )
  assert.deepEqual(
    errors.map(({ extensions }: { extensions: { code: string } }) => extensions.code),
    ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'],
  )
  await app.close()
})

test('the number of all is counted only where it is asked for', async () => {
  const page = '{ products(first: 10) { edges { node { name } } COUNT } }'
  assert.equal((await ask(page.replace('COUNT', ''))).count, 1)
  const counted = await ask(page.replace('COUNT', 'totalCount'))
  assert.equal(counted.count, 2)
  assert.equal(counted.data.products.totalCount, 100)
})

test('a page of a search is one statement, with the number of all that it finds; each page that follows is one too', async () => {
  const app = await openSubgraph()
  await send('{ categories { id } }', {}, app)
  const page = `query ($after: String) { products(first: 10, after: $after, filter: { search: "thing", inStock: true }) {
    totalCount pageInfo { endCursor } edges { node { name inStock category { name } } } } }`
  const first = await ask(page, {}, app)
  const next = await ask(page, { after: first.data.products.pageInfo.endCursor }, app)
  for (const { count, data } of [first, next]) {
    assert.equal(count, 1)
    assert.deepEqual([data.products.totalCount, data.products.edges.length], [99, 10])
  }
  await app.close()
})

test('a search that has to be corrected is three statements', async () => {
  const { count, data } = await ask('{ products(filter: { search: "thign" }) { totalCount } }')
  assert.equal(data.products.totalCount, 100)
  assert.equal(count, 3)
})

test('a reservation is one statement, however many products it holds, and its sale is another', async () => {
  for (const many of [1, 20]) {
    const items = all.slice(-many).map(({ id: productId }) => ({ productId, quantity: 1 }))
    const orderId = randomUUID()
    const [count, { lines }] = await products.statementsOf(() => products.service.reserve(orderId, items))
    assert.deepEqual(
      lines.map(({ productId, quantity }) => ({ productId, quantity })),
      items,
    )
    assert.equal(count, 1)
    const [sale] = await products.statementsOf(() => products.service.commit(orderId))
    assert.equal(sale, 1)
  }
})
