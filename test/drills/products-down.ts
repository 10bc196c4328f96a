import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from 'undici'
import { type GraphQLResult, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

const history = `{
  me { name orders { edges { node { number total { amount currency }
    items { name quantity unitPrice { amount currency } product { id name price { amount currency } category { name } } } } } } }
  products { edges { node { id } } }
}`
const stock = '{ me { orders { edges { node { items { name product { name available } } } } } } }'
const customer = 'query($id: ID!) { order(id: $id) { number customer { name email } } }'
/** Milliseconds from products being ready to everything being fresh again, at the most. A breaker left alone takes 60 s. */
const longestRecovery = 40_000

export const productsDown: Drill = {
  summary:
    'products killed: order histories show it as it last was, and say so; createOrder is refused; all is fresh again in seconds',
  async run({ print }) {
    const stack = await startTestStack()
    try {
      const [eve, bob] = await Promise.all([stack.signUp(), stack.signUp()])
      const products = await stack.addProducts(5, 5)
      const orderId = await stack.placeOrder(eve.token, ...products)
      await stack.placeOrder(bob.token, products[1] ?? '')
      const fresh = await stack.graphql(history, {}, eve.token)
      assert.deepEqual([fresh.errors, fresh.extensions], [[], undefined])
      const whose = await stack.graphql(customer, { id: orderId }, eve.token)
      assert.deepEqual(whose.data.order.customer, { name: 'Eve Example', email: eve.email })
      await stack.graphql(stock, {}, eve.token)
      const held = () => stack.sql('products', 'SELECT order_id, status FROM reservations ORDER BY order_id')
      const before = await held()

      stack.processes.products.kill('SIGKILL')
      await stack.processes.products.stop()
      const down = performance.now()
      const answer = await stack.graphql(history, {}, eve.token)
      print(`answered after ${(performance.now() - down).toFixed(0)} ms: ${JSON.stringify(answer.data)}`)
      print(`extensions.stale: ${JSON.stringify(answer.extensions?.stale)}`)
      assert.deepEqual(answer.data, { ...fresh.data, products: null })
      assert.deepEqual(
        answer.errors.map(({ path }) => path),
        [['products']],
      )
      assertRefused(answer)
      assertStale(answer, 2)

      const { data: left, errors, extensions } = await stack.graphql(stock, {}, eve.token)
      assert.deepEqual(
        itemsOf(left),
        [0, 1].map((index) => ({ name: `Thing ${index}`, product: null })),
      )
      assert.deepEqual([errors.length, extensions?.stale], [2, undefined])
      print(`stock is never remembered: ${errors.map(({ path }) => path?.at(-1)).join(', ')} have errors`)

      const key = randomUUID()
      const buy = () => stack.createOrder(eve.token, [{ productId: products[0], quantity: 1 }], key)
      const refused = await buy()
      print(`createOrder: ${JSON.stringify(refused.errors[0]?.extensions)}`)
      assert.deepEqual([refused.data, refused.errors.length], [{ createOrder: null }, 1])
      assertRefused(refused)
      assert.equal((await stack.sql('orders', 'SELECT FROM claims WHERE completed_at IS NULL')).length, 0)
      assert.deepEqual(await held(), before)

      await assertNothingPrivate(stack, orderId, [eve.token, bob.token])

      const ready = stack.processes.products.nextReady()
      stack.processes.products.start()
      await ready
      const back = performance.now()
      const again = async (what: string, condition: () => Promise<boolean>) => {
        await waitFor(what, condition, longestRecovery)
        print(`${what} ${(performance.now() - back).toFixed(0)} ms after products was ready`)
      }
      await Promise.all([
        again('the order history is fresh', async () => {
          const { data, extensions } = await stack.graphql(history, {}, eve.token)
          return data.products !== null && extensions?.stale === undefined
        }),
        again('createOrder works', async () => (await buy()).errors.length === 0),
      ])
      assert.equal((await stack.sql('orders', 'SELECT FROM orders WHERE customer_id = $1', [eve.id])).length, 2)
    } finally {
      await stack.stop()
    }
  },
}

/** What products does not answer may be asked for again, soon. */
function assertRefused({ errors }: GraphQLResult): void {
  for (const { extensions } of errors) {
    const { retryAfter, ...rest } = extensions
    assert.deepEqual(rest, { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'products' })
    assert.ok(typeof retryAfter === 'number' && retryAfter >= 1 && retryAfter <= 5)
  }
}

function assertStale({ extensions }: GraphQLResult, items: number): void {
  const stale = extensions?.stale as { path: unknown[]; subgraph: string; ageSeconds: number }[]
  for (const { ageSeconds } of stale) assert.ok(Number.isInteger(ageSeconds) && ageSeconds >= 0)
  assert.deepEqual(
    stale.map(({ path, subgraph }) => ({ path: path.join('.'), subgraph })),
    Array.from({ length: items }, (_, index) => ({
      path: `me.orders.edges.0.node.items.${index}.product`,
      subgraph: 'products',
    })),
  )
}

/** With users away too, nobody is told of anybody, and the gateway holds entities of the catalogue alone. */
async function assertNothingPrivate(stack: TestStack, orderId: string, tokens: string[]): Promise<void> {
  await stack.processes.users.stop()
  for (const token of tokens) {
    const { data, extensions } = await stack.graphql(customer, { id: orderId }, token)
    assert.equal(data.order?.customer ?? null, null)
    assert.equal(extensions?.stale, undefined)
  }
  const { body } = await request(`${stack.urlOf('gateway')}/metrics`)
  const types = [...(await body.text()).matchAll(/^stale_cache_entities\{type="(\w+)"/gm)].map(([, type]) => type)
  assert.deepEqual(types, ['Product'])
  const ready = stack.processes.users.nextReady()
  stack.processes.users.start()
  await ready
}

function itemsOf(data: GraphQLResult['data']): unknown[] {
  return data.me.orders.edges[0].node.items
}
