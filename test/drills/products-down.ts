import assert from 'node:assert/strict'
import { startTestStack } from '../infra/stack.ts'
import type { Drill } from './drill.ts'

const query = `{
  me { name orders { edges { node { number items { name product { id name } } } } } }
  products { edges { node { id } } }
}`

export const productsDown: Drill = {
  summary: 'the products service stopped: everything else is answered',
  async run({ print }) {
    const stack = await startTestStack()
    try {
      const { token } = await stack.signUp()
      const products = await stack.addProducts(5, 5)
      await stack.placeOrder(token, ...products)
      await stack.processes.products.stop()

      const started = performance.now()
      const { data, errors } = await stack.graphql(query, {}, token)
      const elapsed = performance.now() - started
      print(`answered after ${elapsed.toFixed(0)} ms: ${JSON.stringify(data)}`)
      for (const { path, extensions } of errors) print(`  ${extensions.code} at ${path?.join('.')}`)
      const item = (index: number) => ['me', 'orders', 'edges', 0, 'node', 'items', index, 'product', 'name']
      assert.equal(data.me.name, 'Eve Example')
      assert.deepEqual(
        data.me.orders.edges[0].node.items,
        ['Thing 0', 'Thing 1'].map((name) => ({ name, product: null })),
      )
      assert.equal(data.products, null)
      const failure = { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'products', retryAfter: 1 }
      assert.deepEqual(
        errors.map(({ path, extensions }) => ({ path: path?.join('.'), extensions })).sort(byPath),
        [item(0), item(1), ['products']].map((path) => ({ path: path.join('.'), extensions: failure })).sort(byPath),
      )

      const refused = await stack.createOrder(token, [{ productId: products[0], quantity: 1 }])
      print(
        `createOrder: ${refused.errors[0]?.extensions.code}, retryAfter ${refused.errors[0]?.extensions.retryAfter}`,
      )
      assert.deepEqual(refused.errors[0]?.extensions, failure)
      assert.equal((await stack.sql('orders', 'SELECT FROM claims WHERE completed_at IS NULL')).length, 0)
    } finally {
      await stack.stop()
    }
  },
}

function byPath(a: { path: string | undefined }, b: { path: string | undefined }): number {
  return (a.path ?? '').localeCompare(b.path ?? '')
}
