import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { kafkaBrokers } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'
import { timesToTell } from './latency.ts'

/** Orders a second, and milliseconds from the commit of one to that of its notification, of 99 of 100 at the most, over Kafka. */
const fullRate = 50
const target = 250
/** Milliseconds for all events to be handled, and between looks, which cost the database something. */
const limit = 300_000
const pollInterval = 100

export const throughput: Drill = {
  summary: 'events a second and CPU an event, from outbox to notification; the time that takes at 50 orders a second',
  async run({ short, print }) {
    const logs = kafkaBrokers() ? (['PostgreSQL', 'Kafka'] as const) : (['PostgreSQL'] as const)
    for (const events of logs) {
      const stack = await startTestStack({ events })
      try {
        const { id, token } = await stack.signUp()
        // Slower in the short run, which is beside other tests: it says that the path works, the full one how fast it is.
        const rate = short ? 10 : fullRate
        // Processes that have just started are still being compiled, and need more of the machine than the rate leaves.
        await atRate(stack, token, { rate: rate / 2, count: short ? 10 : 500 })
        const times = await atRate(stack, token, { rate, count: short ? 40 : 1_500 })
        const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)]
        const told = `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`
        print(`events on ${events}: ${times.length} orders, ${rate} a second, told of after ${told}`)
        print(`  ${await drain(stack, id, short ? 300 : 5_000)}`)
        if (!short && events === 'Kafka') assert.ok(p99 <= target, `p99 is at most ${target} ms`)
      } finally {
        await stack.stop()
      }
    }
  },
}

/** Puts events in the outbox of orders, all at once, and waits until each is a notification. */
async function drain(stack: TestStack, customerId: string, count: number): Promise<string> {
  const told = async () => Number((await stack.sql('notifications', 'SELECT count(*) FROM notifications'))[0].count)
  const before = await told()
  const cpuBefore = await cpuOf(stack)
  const started = performance.now()
  await stack.sql('orders', fillStatement, [count, customerId])
  await waitFor(
    'all notifications',
    () =>
      sleep(pollInterval)
        .then(told)
        .then((now) => now >= before + count),
    limit,
  )
  const seconds = (performance.now() - started) / 1_000
  const cpu = (await cpuOf(stack)).map((after, index) => ((after - (cpuBefore[index] ?? 0)) * 1_000) / count)
  const [relay = 0, consumer = 0] = cpu
  return (
    `${count} events in ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} a second; ` +
    `CPU an event: relay ${relay.toFixed(2)} ms, consumer ${consumer.toFixed(2)} ms`
  )
}

/** Places orders one after the other in time, however long each takes, and returns how long each was not told of. */
async function atRate(
  stack: TestStack,
  token: string,
  { rate, count }: { rate: number; count: number },
): Promise<number[]> {
  // Of many products, as in a shop: not every order waits for the stock of the same one.
  const products = await stack.addProducts(...Array.from({ length: 50 }, () => 100_000))
  const productOf = (n: number) => products[n % products.length] ?? ''
  const started = performance.now()
  const orders = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      await sleep((n * 1_000) / rate - (performance.now() - started))
      return stack.placeOrder(token, productOf(n))
    }),
  )
  const times = await waitFor('all notifications', async () => {
    const times = await timesToTell(stack)
    return orders.every((id) => times.has(id)) && times
  })
  return orders.map((id) => times.get(id) ?? Number.NaN)
}

/** Seconds of CPU that the relay's process and the consumer's have used. */
async function cpuOf(stack: TestStack): Promise<number[]> {
  const texts = await Promise.all(
    (['orders', 'notifications'] as const).map(async (name) => (await fetch(`${stack.urlOf(name)}/metrics`)).text()),
  )
  return texts.map((text) => Number(/^process_cpu_seconds_total\S* (\S+)$/m.exec(text)?.[1]))
}

/** Each of an order of its own. */
const fillStatement = `
  WITH added AS (
    INSERT INTO outbox (event_id, type, topic, key, sequence, time, data)
    SELECT gen_random_uuid(), 'order.created', 'orders', id, 1, now(), jsonb_build_object(
      'orderId', id, 'number', 'ORD-1', 'customerId', $2::uuid, 'total', price,
      'items', jsonb_build_array(jsonb_build_object(
        'productId', gen_random_uuid(), 'sku', 'SKU-1', 'name', 'A thing', 'quantity', 1, 'unitPrice', price)))
    FROM (SELECT gen_random_uuid() AS id, '{"amount": 1000, "currency": "EUR"}'::jsonb AS price
          FROM generate_series(1, $1::int)) AS orders
    RETURNING 1
  )
  SELECT pg_notify('outbox', '') FROM added LIMIT 1`
