import assert from 'node:assert/strict'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { openKafkaRecords } from '#platform/bus/kafka-records.ts'
import { silentLog as log } from '#platform/log.ts'
import { type Kafka, kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

const workers = 4
/** Milliseconds for everything to come to rest. */
const restLimit = 120_000

export const broker: Drill = {
  summary: 'orders placed and cancelled while Kafka is stopped, and killed with -9',
  async run({ short, print }) {
    const missing = kafkaMissing()
    if (missing) return print(`not run: ${missing}`)
    const kafka = await startKafka()
    const stack = await startTestStack({ events: 'Kafka', brokers: kafka.brokers }).catch((error) => {
      kafka.stop()
      throw error
    })
    const seen = watch(stack, kafka)
    try {
      await placeThrough({ stack, kafka, seen, total: short ? 60 : 200, print })
    } finally {
      await seen.close()
      await stack.stop()
      kafka.stop()
    }
  },
}

type Run = {
  stack: TestStack
  kafka: Kafka
  seen: ReturnType<typeof watch>
  total: number
  print: (line: string) => void
}

async function placeThrough({ stack, kafka, seen, total, print }: Run) {
  const { token } = await stack.signUp()
  const [product = ''] = await stack.addProducts(100_000)
  const placed: string[] = []

  /** Places this share of the orders and cancels them. Refused by nobody, whatever the event log does: both assert it. */
  async function place(share: number): Promise<void> {
    let left = Math.round(share * total)
    const work = Array.from({ length: workers }, async () => {
      while (left-- > 0) {
        const id = await stack.placeOrder(token, product)
        placed.push(id)
        await stack.cancelOrder(token, id, 'drill')
      }
    })
    await Promise.all(work)
  }

  /** Takes Kafka away in the midst of orders, for some more of them, and brings it back in the midst of others. */
  async function outage(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    await Promise.all([kafka.kill(signal), place(0.1)])
    await waitFor('the health to tell', async () => (await eventsOf(stack)) === 'DOWN')
    await place(0.15)
    const unsent = await waitFor('what waits to be told', async () => {
      const count = await unsentOf(stack)
      return count >= 0.15 * total * 2 && count
    })
    print(`${signal}: Kafka away for ${Math.round(0.15 * total)} orders and more, ${unsent} events waited`)
    await Promise.all([kafka.restart(), place(0.15)])
    return performance.now()
  }

  await place(0.2)
  await outage('SIGTERM')
  await waitFor('the health to tell', async () => (await eventsOf(stack)) === 'UP', restLimit)
  const back = await outage('SIGKILL')
  const notified = `SELECT count(*)::int AS rows, count(DISTINCT order_id)::int AS orders FROM notifications
    WHERE type = 'ORDER_PLACED' AND order_id = ANY($1)`
  const [row] = await waitFor(
    'every notification',
    async () => {
      const rows = await stack.sql('notifications', notified, [placed])
      return rows[0].orders === total && rows
    },
    restLimit,
  )
  const caughtUp = (performance.now() - back) / 1_000
  await waitFor('every event', () => seen.events.size === 2 * total, restLimit)
  assert.equal(placed.length, total)
  assert.deepEqual(row, { rows: total, orders: total })
  assert.deepEqual(seen.outOfOrder, [])
  const { rows, repeats } = await logOf(stack, kafka)
  assert.equal(rows, 2 * total)
  print(
    `${total} orders accepted, ${row.rows} notifications, 0 lost, 0 doubled, each order's events in order; ` +
      `${repeats} events in the log twice; all told ${caughtUp.toFixed(1)} s after Kafka was back`,
  )
}

/** What orders says of its event log. It stays ready: whoever places an order needs no event log. */
async function eventsOf(stack: TestStack): Promise<string> {
  const url = stack.urlOf('orders')
  const [health, ready] = await Promise.all([fetch(`${url}/health`), fetch(`${url}/health/ready`)])
  const { status, dependencies } = (await health.json()) as Report
  // A machine that stands still for as long makes no answer of the database, which is not on trial.
  if (dependencies.database?.status !== 'UP') return ''
  assert.equal(ready.status, 200)
  const isWhole = Object.values(dependencies).every((dependency) => dependency.status === 'UP')
  assert.equal(status, isWhole ? 'UP' : 'DEGRADED')
  return dependencies.events?.status ?? ''
}

/** What orders says of its outbox, while it can say nothing of its lag. NaN where it was too busy to say it. */
async function unsentOf(stack: TestStack): Promise<number> {
  const metrics = await (await fetch(`${stack.urlOf('orders')}/metrics`)).text()
  assert.doesNotMatch(metrics, /^consumer_lag\{/m)
  return Number(/^outbox_pending\S* (\d+)$/m.exec(metrics)?.[1])
}

type Report = { status: string; dependencies: Record<string, { status: string }> }

/** A group of its own beside the shop's, that keeps in which order it saw the events of each order. */
function watch({ eventLog }: TestStack, kafka: Kafka) {
  const bus = createKafkaBus({ ...optionsOf(eventLog, kafka) })
  const last = new Map<string, number>()
  const events = new Set<string>()
  const outOfOrder: string[] = []
  const see = (type: string) => ({
    type,
    topic: 'orders',
    async handle({ id, key, sequence }: { id: string; key: string; sequence: number }) {
      if (events.has(id)) return
      events.add(id)
      if (sequence !== (last.get(key) ?? 0) + 1) outOfOrder.push(`${key}: ${sequence} after ${last.get(key)}`)
      last.set(key, sequence)
    },
  })
  bus.subscribe({ group: 'drill', handlers: [see('order.created'), see('order.cancelled')] })
  return { events, outOfOrder, close: bus.close }
}

/** The topic of orders: its events, and how many of its records are repeats. */
async function logOf({ eventLog }: TestStack, kafka: Kafka): Promise<{ rows: number; repeats: number }> {
  const records = await openKafkaRecords(optionsOf(eventLog, kafka))
  const ids: string[] = []
  await records.read('orders', ({ headers }) => ids.push(headers.ce_id ?? ''))
  await records.close()
  const rows = new Set(ids).size
  return { rows, repeats: ids.length - rows }
}

function optionsOf(eventLog: TestStack['eventLog'], { brokers }: Kafka) {
  const prefix = ('KAFKA_PREFIX' in eventLog && eventLog.KAFKA_PREFIX) || ''
  return { brokers: [brokers], clientId: 'drill', prefix, tls: false, log }
}
