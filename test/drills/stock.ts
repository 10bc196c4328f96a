import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { growth, scrape } from '../infra/scrape.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { type Drill, stockQuery } from './drill.ts'

/** Milliseconds between attempts. */
const again = 300

export const stock: Drill = {
  summary:
    'one idempotency key sent many times at once; more buyers than there is stock, over two instances of products',
  async run({ short, print }) {
    const [buyers, supply] = short ? [200, 20] : [1_000, 100]
    const stack = await startTestStack({ twins: ['products'] })
    try {
      const { token } = await stack.signUp()
      const [single = '', contested = ''] = await stack.addProducts(1, supply)

      const key = randomUUID()
      const repeats = await Promise.all(Array.from({ length: 10 }, () => buy(stack, token, single, key)))
      const [{ orders }] = await stack.sql('orders', 'SELECT count(*)::int AS orders FROM orders')
      const equal = repeats.filter((result) => JSON.stringify(result) === JSON.stringify(repeats[0]))
      print(`the same createOrder 10 times at once, stock 1: ${orders} order, ${equal.length} equal answers`)
      assert.deepEqual(repeats[0]?.errors, [])
      assert.equal(orders, 1)
      assert.equal(equal.length, 10)

      const started = performance.now()
      const results = await Promise.all(Array.from({ length: buyers }, () => buy(stack, token, contested)))
      // Reserved by a call whose answer came too late, as did that of the one that gives it back.
      const kept = stack.output.filter((line) => line.includes('stock stays held')).length
      const elapsed = Math.round(performance.now() - started)
      const outcomes = Map.groupBy(results, ({ errors }) => errors[0]?.extensions.code ?? 'placed')
      const [{ available, ledger, held }] = await stack.sql('products', stockQuery, [[contested]])
      const counts = [...outcomes].map(([outcome, { length }]) => `${outcome} ${length}`).join(', ')
      print(
        `${buyers} orders at once, stock ${supply}: ${counts}; stock ${available}, ledger ${ledger}, held ${held}; ${elapsed} ms`,
      )
      assert.equal(outcomes.get('placed')?.length, supply - kept)
      assert.equal(outcomes.get('INSUFFICIENT_STOCK')?.length, buyers - supply + kept)
      assert.deepEqual({ available, ledger, held }, { available: 0, ledger: 0, held: supply })
      const reserved = await Promise.all(stack.instancesOf('products').map(reservations))
      print(`both instances worked: they answered ${reserved.join(' and ')} calls to reserve`)
      assert.ok(reserved.every((count) => count > 0))
      assert.deepEqual(
        stack.output.filter((line) => /deadlock|40P01|"level":"?(error|50)/.test(line)),
        [],
      )
    } finally {
      await stack.stop()
    }
  },
}

/** Calls to reserve stock that an instance of products has answered. */
async function reservations(url: string): Promise<number> {
  const series = await scrape(url)
  return growth(new Map(), series, 'rpc_server_call_duration_seconds_count', {
    method: 'products.v1.ProductService/ReserveStock',
  })
}

/** Orders one, as a client would: sends it again, under the same key, when told that it may succeed then. */
async function buy(stack: TestStack, token: string, productId: string, key: string = randomUUID()) {
  for (;;) {
    const result = await stack.createOrder(token, [{ productId, quantity: 1 }], key)
    assert.equal(result.status, 200)
    if (result.errors[0]?.extensions.retryAfter === undefined) return result
    await sleep(again)
  }
}
