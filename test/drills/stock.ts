import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { type Drill, stockQuery } from './drill.ts'

export const stock: Drill = {
  summary: 'one idempotency key sent many times at once; more buyers than there is stock',
  async run({ print }) {
    const stack = await startTestStack()
    try {
      const { token } = await stack.signUp()
      const [single = '', contested = ''] = await stack.addProducts(1, 50)

      const key = randomUUID()
      const repeats = await Promise.all(
        Array.from({ length: 10 }, () => stack.createOrder(token, [{ productId: single, quantity: 1 }], key)),
      )
      const [{ orders }] = await stack.sql('orders', 'SELECT count(*)::int AS orders FROM orders')
      const equal = repeats.filter((result) => JSON.stringify(result) === JSON.stringify(repeats[0]))
      print(`the same createOrder 10 times at once, stock 1: ${orders} order, ${equal.length} equal answers`)
      assert.deepEqual(repeats[0]?.errors, [])
      assert.equal(orders, 1)
      assert.equal(equal.length, 10)

      const started = performance.now()
      const buyers = await Promise.all(Array.from({ length: 200 }, () => buy(stack, token, contested)))
      const elapsed = Math.round(performance.now() - started)
      const outcomes = Map.groupBy(buyers, ({ errors }) => errors[0]?.extensions.code ?? 'placed')
      const [{ available, ledger, held }] = await stack.sql('products', stockQuery, [[contested]])
      const counts = [...outcomes].map(([outcome, { length }]) => `${outcome} ${length}`).join(', ')
      print(
        `200 orders at once, stock 50: ${counts}; stock ${available}, ledger ${ledger}, held ${held}; ${elapsed} ms`,
      )
      assert.equal(outcomes.get('placed')?.length, 50)
      assert.equal(outcomes.get('INSUFFICIENT_STOCK')?.length, 150)
      assert.deepEqual({ available, ledger, held }, { available: 0, ledger: 0, held: 50 })
    } finally {
      await stack.stop()
    }
  },
}

/** Orders one, as a client would: sends it again, under the same key, when told that it may succeed then. */
async function buy(stack: TestStack, token: string, productId: string) {
  const key = randomUUID()
  for (;;) {
    const result = await stack.createOrder(token, [{ productId, quantity: 1 }], key)
    if (result.errors[0]?.extensions.retryAfter === undefined) return result
  }
}
