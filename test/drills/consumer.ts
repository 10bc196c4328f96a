import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { kafkaBrokers } from '../infra/parts.ts'
import { seededRandom } from '../infra/random.ts'
import { type SmtpTestServer, startSmtpServer } from '../infra/smtp-server.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'
import { signUpAll } from './shop-load.ts'

/** Milliseconds until a new process goes on where a killed one was, and for all of it. */
const resumeLimit = 120_000
const restLimit = 300_000

export const consumer: Drill = {
  summary: 'the notifications process killed with -9 again and again while it handles events and sends e-mail',
  async run({ short, print, seed = Math.floor(Math.random() * 2 ** 31) }) {
    // Each customer is told of so few that no mail is held back.
    const [events, kills, customers] = short ? [200, 4, 20] : [2_000, 20, 50]
    print(`seed ${seed}`)
    for (const log of short || !kafkaBrokers() ? (['PostgreSQL'] as const) : (['PostgreSQL', 'Kafka'] as const)) {
      const smtp = await startSmtpServer()
      const env = { SMTP_URL: `smtp://127.0.0.1:${smtp.port}` }
      const stack = await startTestStack({ events: log, extra: { notifications: { env } } })
      try {
        await killThrough(stack, smtp, { events, kills, customers, log, random: seededRandom(seed), print })
      } finally {
        await stack.stop()
        await smtp.close()
      }
    }
  },
}

type Run = {
  events: number
  kills: number
  customers: number
  log: string
  random: () => number
  print: (line: string) => void
}

async function killThrough(stack: TestStack, smtp: SmtpTestServer, run: Run) {
  const { events, kills, customers, log, random, print } = run
  const accounts = await signUpAll(stack, customers)
  const orders = Array.from({ length: events }, () => randomUUID())
  const recorded = async () => (await stack.sql('notifications', recordedQuery, [orders]))[0]
  const started = performance.now()
  await emit(
    stack,
    orders,
    accounts.map(({ id }) => id),
  )
  for (let kill = 0; kill < kills; kill++) {
    const target = Math.floor(((kill + random()) * events) / kills)
    await waitFor(`event ${target}`, async () => (await recorded()).rows >= target, resumeLimit)
    const back = stack.processes.notifications.nextReady()
    stack.processes.notifications.kill('SIGKILL')
    await back
  }
  await waitFor('every event', async () => (await recorded()).orders === events, restLimit)
  const unsent = `SELECT count(*)::int AS rows FROM deliveries WHERE status = 'QUEUED'`
  await waitFor('every delivery', async () => (await stack.sql('notifications', unsent))[0].rows === 0, restLimit)
  const seconds = (performance.now() - started) / 1_000

  assert.deepEqual(await recorded(), { rows: events, orders: events })
  const deliveries = await stack.sql('notifications', deliveriesQuery, [orders])
  assert.equal(deliveries.length, events)
  assert.deepEqual(new Set(deliveries.map(({ status }) => status)), new Set(['SENT']))

  const mails = Map.groupBy(smtp.mails, ({ parsed }) => /<(.*)@/.exec(parsed.messageId ?? '')?.[1] ?? '')
  const sent = deliveries.map(({ id }) => mails.get(id) ?? [])
  assert.deepEqual(
    sent.filter(({ length }) => length === 0),
    [],
    'every delivery is a mail',
  )
  for (const [first, ...repeats] of sent) {
    for (const repeat of repeats) {
      assert.deepEqual(repeat.to, first?.to)
      assert.equal(repeat.parsed.subject, first?.parsed.subject)
    }
  }
  const subjects = new Set(sent.flatMap((same) => same.map(({ parsed }) => parsed.subject)))
  assert.equal(subjects.size, events, 'no two deliveries tell of one order')
  const repeats = sent.reduce((sum, { length }) => sum + length - 1, 0)
  print(
    `${log}: ${events} events, ${kills} times killed with -9: ${events} notifications, 0 lost, 0 doubled; ` +
      `${events + repeats} e-mails, each of ${events} Message-IDs seen, ${repeats} repeats by the same id; ${seconds.toFixed(0)} s`,
  )
}

/** Tells of orders as the orders service does: rows of its outbox, which its relay sends. */
async function emit(stack: TestStack, orders: readonly string[], customerIds: readonly string[]): Promise<void> {
  const rows = orders.map((orderId, index) => ({
    key: orderId,
    data: {
      orderId,
      number: `DRILL-${index}`,
      customerId: customerIds[index % customerIds.length],
      items: [],
      total: { amount: 1_000, currency: 'EUR' },
    },
  }))
  await stack.sql(
    'orders',
    `WITH added AS (
       INSERT INTO outbox (event_id, type, topic, key, sequence, data, time)
       SELECT gen_random_uuid(), 'order.created', 'orders', key, 1, data, now()
       FROM jsonb_to_recordset($1::jsonb) AS r (key text, data jsonb)
       RETURNING 1
     )
     SELECT pg_notify('outbox', '') FROM added LIMIT 1`,
    [JSON.stringify(rows)],
  )
}

const recordedQuery = `
  SELECT count(*)::int AS rows, count(DISTINCT order_id)::int AS orders FROM notifications WHERE order_id = ANY($1::uuid[])`

const deliveriesQuery = `
  SELECT d.id, d.status FROM deliveries d JOIN notifications n ON n.id = d.notification_id
  WHERE n.order_id = ANY($1::uuid[])`
