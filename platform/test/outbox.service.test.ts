import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import { PrismaClient } from '#generated/prisma/orders/client.ts'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import type { BusEvent } from '../bus/bus.ts'
import { runWithContext } from '../context.ts'
import { openDatabase } from '../database/open.ts'
import { recordInInbox } from '../inbox.ts'
import { silentLog as log } from '../log.ts'
import { appendToOutbox, createOutboxRelay } from '../outbox.ts'

let url: string
let database: ReturnType<typeof openDatabase>
let prisma: PrismaClient
let client: pg.Client
const relays: ReturnType<typeof createOutboxRelay>[] = []

before(async () => {
  url = await createTestDatabase('orders')
  database = openDatabase({ name: 'test', url, poolSize: 5, log })
  prisma = new PrismaClient({ adapter: database.adapter })
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
beforeEach(() => client.query('TRUNCATE outbox, inbox'))
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.stop())))
after(async () => {
  await client.end()
  await prisma.$disconnect()
  await database.close()
})

function relay(publish: (events: readonly BusEvent[]) => Promise<void>) {
  const created = createOutboxRelay({ url, source: 'orders', publish, log })
  relays.push(created)
  created.start()
  return created
}

function thing(n: number) {
  return { type: 'thing.happened', topic: 'orders', key: 'k', sequence: n, data: { n } }
}

const append = (...numbers: number[]) =>
  prisma.$transaction((tx) => appendToOutbox(tx, numbers.map(thing), new Date('2026-01-01T00:00:00.123Z')))

const numbersOf = (events: readonly BusEvent[]) => events.map(({ data }) => (data as { n: number }).n)

async function unsent(): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM outbox WHERE sent_at IS NULL',
  )
  return rows[0]?.count ?? -1
}

test('an event is told as it was put in, with the trace of the change it tells of', async () => {
  const told: BusEvent[] = []
  relay(async (events) => void told.push(...events))
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const tracestate = 'foo=1,bar=2'
  await runWithContext({ traceparent, tracestate }, () => append(1))
  await waitFor('the event', () => told.length === 1)
  const { id, ...rest } = told[0] ?? ({} as BusEvent)
  assert.match(id, /^[0-9a-f-]{36}$/)
  const time = new Date('2026-01-01T00:00:00.123Z')
  assert.deepEqual(rest, { ...thing(1), source: 'orders', time, traceparent, tracestate })
})

test('an event of a transaction that is rolled back is not told', async () => {
  const told: BusEvent[] = []
  relay(async (events) => void told.push(...events))
  const rolledBack = prisma.$transaction(async (tx) => {
    await appendToOutbox(tx, [thing(1)], new Date())
    throw new Error('no')
  })
  await assert.rejects(rolledBack)
  await append(2)
  await waitFor('the other event', () => told.length > 0)
  assert.deepEqual(numbersOf(told), [2])
})

test('a rejected publish leaves the row unsent, and the relay tries again in order', async () => {
  const told: BusEvent[] = []
  let rejections = 0
  relay(async (events) => {
    if (rejections < 2) {
      rejections += 1
      assert.equal(await unsent(), 3)
      throw new Error('not acknowledged')
    }
    told.push(...events)
  })
  await append(1, 2, 3)
  await waitFor('the events', () => told.length === 3)
  assert.deepEqual(numbersOf(told), [1, 2, 3])
  await waitFor('the marks', async () => (await unsent()) === 0)
})

test('a crash between send and mark repeats and loses none', async () => {
  const told: BusEvent[] = []
  // The session that would mark the rows ends after the send, as the crash of its process would end it.
  relay(async (events) => {
    told.push(...events)
    if (told.length === 3) {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-outbox' AND datname = current_database()`,
      )
    }
  })
  await append(1, 2, 3)
  await waitFor('the repeat', () => told.length === 6)
  assert.deepEqual(numbersOf(told), [1, 2, 3, 1, 2, 3])
  assert.equal(new Set(told.map(({ id }) => id)).size, 3, 'a repeat has the same id')
  await waitFor('the marks', async () => (await unsent()) === 0)
})

test('a hole in the id sequence hides nothing', async () => {
  const told: BusEvent[] = []
  relay(async (events) => void told.push(...events))
  const late = new pg.Client({ connectionString: url })
  await late.connect()
  await late.query('BEGIN')
  const insert = `INSERT INTO outbox (event_id, type, topic, key, sequence, time, data)
    VALUES (gen_random_uuid(), 'thing.happened', 'orders', 'late', 1, now(), '{"n": 1}')`
  await late.query(insert)
  // A transaction that began later and has the greater id commits first.
  await append(2)
  await waitFor('the later event', () => told.length === 1)
  await late.query("SELECT pg_notify('outbox', '')")
  await late.query('COMMIT')
  await late.end()
  await waitFor('the late event', () => told.length === 2)
  assert.deepEqual(numbersOf(told), [2, 1])
})

test('of two relays one is active, and the other takes over', async () => {
  const told: [string, number][] = []
  const first = relay(async (events) => void told.push(...numbersOf(events).map((n): [string, number] => ['first', n])))
  await append(1)
  await waitFor('the first event', () => told.length === 1)
  relay(async (events) => void told.push(...numbersOf(events).map((n): [string, number] => ['second', n])))
  for (let n = 2; n <= 20; n++) await append(n)
  await waitFor('twenty events', () => told.length === 20)
  assert.ok(told.every(([who]) => who === 'first'))
  await first.stop()
  await append(21)
  await waitFor('the second to take over', () => told.length === 21)
  assert.deepEqual(told.at(-1), ['second', 21])
})

test('the relay survives the loss of its database session', async () => {
  const told: BusEvent[] = []
  relay(async (events) => void told.push(...events))
  await append(1)
  await waitFor('the first event', async () => told.length === 1 && (await unsent()) === 0)
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-outbox' AND datname = current_database()`,
  )
  await append(2)
  await waitFor('the second event', () => told.length === 2)
})

test('the backlog is what is not sent yet, with the age of the oldest, also while the event log is away', async () => {
  let away = true
  const relay_ = relay(async () => {
    if (away) throw new Error('the log is away')
  })
  assert.deepEqual(await relay_.backlog(), { pending: 0, oldest: 0 })
  await prisma.$transaction((tx) => appendToOutbox(tx, [1, 2, 3].map(thing), new Date(Date.now() - 60_000)))
  for (let n = 0; n < 20; n++) {
    const { pending, oldest } = await relay_.backlog()
    assert.equal(pending, 3)
    assert.ok(oldest >= 60 && oldest < 90, String(oldest))
  }
  away = false
  await waitFor('an empty outbox', async () => (await relay_.backlog()).pending === 0)
  assert.deepEqual(await relay_.backlog(), { pending: 0, oldest: 0 })
})

test('stopping sends what is left', async () => {
  const told: BusEvent[] = []
  const relay_ = relay(async (events) => void told.push(...events))
  await append(1)
  await waitFor('the first event', () => told.length === 1)
  await append(2)
  await relay_.stop()
  assert.deepEqual(numbersOf(told), [1, 2])
})

test('stopping ends although others go on writing', async () => {
  const relay_ = relay(async () => new Promise((resolve) => setTimeout(resolve, 20)))
  let writing = true
  const writers = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (writing) await append(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    }),
  )
  await waitFor('a backlog', async () => (await unsent()) > 0)
  const started = performance.now()
  await relay_.stop()
  assert.ok(performance.now() - started < 8_000)
  writing = false
  await writers
})

test('a backlog of large events is sent in parts that the event log can take', async () => {
  const large = (n: number) => ({ ...thing(n), data: { n, text: 'x'.repeat(200_000) } })
  await prisma.$transaction((tx) => appendToOutbox(tx, [1, 2, 3, 4, 5].map(large), new Date()))
  const parts: number[][] = []
  relay(async (events) => {
    if (JSON.stringify(events).length > 1_000_000) throw new Error('MESSAGE_TOO_LARGE')
    parts.push(numbersOf(events))
  })
  await waitFor('all events', () => parts.flat().length === 5)
  assert.deepEqual(parts, [[1, 2], [3, 4], [5]])
})

test('an event that the event log could never take is refused with its change', async () => {
  const huge = { ...thing(1), data: { text: 'x'.repeat(600_000) } }
  await assert.rejects(
    prisma.$transaction((tx) => appendToOutbox(tx, [huge], new Date())),
    /larger than/,
  )
})

test('an event that arrives twice at the same time has its effect once', async () => {
  const eventId = crypto.randomUUID()
  let effects = 0
  await Promise.all(
    Array.from({ length: 5 }, () =>
      prisma.$transaction(async (tx) => {
        if (await recordInInbox(tx, eventId)) effects += 1
      }),
    ),
  )
  assert.equal(effects, 1)
})

test('an event whose effect is rolled back is not recorded as handled', async () => {
  const eventId = crypto.randomUUID()
  const failed = prisma.$transaction(async (tx) => {
    await recordInInbox(tx, eventId)
    throw new Error('no')
  })
  await assert.rejects(failed)
  assert.equal(await prisma.$transaction((tx) => recordInInbox(tx, eventId)), true)
})
