import assert from 'node:assert/strict'
import { kafkaBrokers } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

/** Milliseconds from the commit of an order to the commit of its notification that 99 of 100 may take at the most. */
const target = 250

export const latency: Drill = {
  summary: 'the time from order placed to notification recorded',
  async run({ short, print }) {
    const orders = short ? 50 : 200
    for (const events of ['PostgreSQL', 'Kafka'] as const) {
      if (events === 'Kafka' && !kafkaBrokers()) continue
      const times = await measure(events, orders)
      const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)]
      print(`events on ${events}, ${times.length} orders: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`)
      assert.equal(times.length, orders)
      // The short run, cold and beside other tests, says that the path works; the full one says how fast it is.
      if (!short) assert.ok(p99 <= target, `p99 is at most ${target} ms`)
    }
  },
}

async function measure(events: 'PostgreSQL' | 'Kafka', count: number): Promise<number[]> {
  const stack = await startTestStack({ events })
  try {
    const { token } = await stack.signUp()
    const [product = ''] = await stack.addProducts(100_000)
    const place = () => stack.placeOrder(token, product)
    for (let n = 0; n < 20; n++) await place()
    await waitFor('the first notification', async () => {
      const rows = await stack.sql('notifications', 'SELECT FROM notifications WHERE order_id IS NOT NULL')
      return rows.length === 20
    })
    for (let n = 0; n < count; n++) await place()
    await waitFor('all notifications', async () => {
      const rows = await stack.sql('notifications', 'SELECT FROM notifications WHERE order_id IS NOT NULL')
      return rows.length === count + 20
    })
    const times = [...(await timesToTell(stack)).values()]
    return times.slice(20)
  } finally {
    await stack.stop()
  }
}

/** Milliseconds from the commit of each order, in their order, to the commit of its notification. */
export async function timesToTell(stack: TestStack): Promise<Map<string, number>> {
  const committed = (table: string, key: string) =>
    `SELECT ${key} AS id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 AS at FROM ${table} WHERE ${key} IS NOT NULL`
  const [placed, told] = await Promise.all([
    stack.sql('orders', `${committed('order_items', 'order_id')} ORDER BY at`),
    stack.sql('notifications', committed('notifications', 'order_id')),
  ])
  const toldAt = new Map(told.map(({ id, at }) => [id, Number(at)]))
  return new Map(
    placed.flatMap(({ id, at }) => (toldAt.has(id) ? [[id, (toldAt.get(id) ?? 0) - Number(at)] as const] : [])),
  )
}
