import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import pg from 'pg'
import { PrismaClient } from '#generated/prisma/orders/client.ts'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { runWithContext } from '../context.ts'
import { isTransientDatabaseError } from '../database/failures.ts'
import { type DatabaseOptions, openDatabase, openServiceDatabase } from '../database/open.ts'
import { createHealth } from '../health.ts'
import { createHttpServer } from '../http.ts'
import { type Log, silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { createMetrics } from '../metrics.ts'

/** Refusals are counted, not logged one by one: there may be thousands in a second. */
const refuseLines = () => assert.fail('a line for a refusal')
const mask = createMask({ service: 'orders', log: { ...log, warn: refuseLines, error: refuseLines } })

/** What a caller is told of a failure. */
function overloaded(error: unknown): boolean {
  const { code, details } = mask(error)
  assert.deepEqual({ code, details }, { code: 'OVERLOADED', details: { subgraph: 'orders', retryAfter: 1 } })
  assert.ok(isTransientDatabaseError(error), 'events that meet it come again')
  return true
}

let url: string
let observer: pg.Client
before(async () => {
  url = await createTestDatabase('orders')
  observer = new pg.Client({ connectionString: url })
  await observer.connect()
})
after(() => observer.end())

/** A database with a Prisma client, until the end of the test. */
async function open(context: TestContext, options: Partial<DatabaseOptions> = {}) {
  let statements = 0
  let refusals = 0
  const database = openDatabase({
    name: 'orders',
    url,
    poolSize: 2,
    // Also the time that a connection has to come about.
    poolWait: 1_500,
    log,
    onStatement: () => {
      statements += 1
    },
    onRefused: () => {
      refusals += 1
    },
    ...options,
  })
  const prisma = new PrismaClient({ adapter: database.adapter })
  const hold = holding(context, prisma)
  context.after(database.close)
  await prisma.order.count()

  return {
    database,
    prisma,
    hold,
    statements: () => statements,
    refusals: () => refusals,
  }
}

/** Transactions that hold connections until they are let go, at the end of the test at the latest. */
function holding(context: TestContext, prisma: PrismaClient) {
  let held = Promise.withResolvers<void>()
  context.after(async () => {
    held.resolve()
    await prisma.$disconnect()
  })
  return async function hold(count: number): Promise<() => Promise<void>> {
    let begun = 0
    held = Promise.withResolvers()
    const { promise, resolve } = held
    const holder = () => {
      begun += 1
      return promise
    }
    const holders = Array.from({ length: count }, () =>
      prisma.$transaction(holder, { maxWait: 60_000, timeout: 60_000 }),
    )
    await waitFor('connections to be held', () => begun === count)
    return async () => {
      resolve()
      await Promise.all(holders)
    }
  }
}

async function timed<T>(work: Promise<T>): Promise<number> {
  const started = performance.now()
  await work
  return performance.now() - started
}

test('a call waits for a connection no longer than its bound, and is refused with OVERLOADED with nothing sent', async (context) => {
  const { prisma, hold, database, statements, refusals } = await open(context)
  const release = await hold(2)
  const sent = statements()
  for (const call of [() => prisma.order.count(), () => prisma.$transaction((tx) => tx.order.count())]) {
    const time = await timed(assert.rejects(call(), overloaded))
    assert.ok(time >= 1_490 && time < 10_000, `${time} ms`)
  }
  assert.equal(statements(), sent)
  assert.equal(refusals(), 2)
  await release()
  // Without a restart, and nothing of what was refused is done late.
  assert.equal(await prisma.order.count(), 0)
  assert.equal(statements(), sent + 2 + 1)
  assert.deepEqual(database.usage(), { used: 0, idle: 2, waiting: 0, max: 2 })
})

test('a transaction is refused in the words of the pool also where it waits as long as Prisma does', async (context) => {
  const { prisma, hold } = await open(context, { poolWait: 2_000 })
  const release = await hold(2)
  const calls = Array.from({ length: 20 }, () => prisma.$transaction((tx) => tx.order.count()))
  const time = await timed(Promise.all(calls.map((call) => assert.rejects(call, overloaded))))
  assert.ok(time >= 1_900 && time < 10_000, `${time} ms`)
  await release()
})

test('what finds the queue full is refused at once, and those who wait are served in their order', async (context) => {
  const { prisma, hold, database } = await open(context, { poolSize: 1, poolWait: 30_000, poolQueue: 3 })
  const release = await hold(1)
  const served: number[] = []
  const waiting = [1, 2, 3].map((n) => prisma.order.count().then(() => served.push(n)))
  await waitFor('three to wait', () => database.usage().waiting === 3)
  const time = await timed(assert.rejects(prisma.order.count(), overloaded))
  assert.ok(time < 15_000, `${time} ms`)
  assert.equal(database.usage().waiting, 3)
  await release()
  await Promise.all(waiting)
  assert.deepEqual(served, [1, 2, 3])
})

test('a call is refused before its caller stops waiting', async (context) => {
  const { prisma, hold } = await open(context, { poolWait: 2_000 })
  const release = await hold(2)
  let hasStopped = false
  setTimeout(() => {
    hasStopped = true
  }, 1_500)
  await runWithContext({ traceparent: '', deadline: Date.now() + 1_500 }, () =>
    Promise.all([
      assert.rejects(prisma.order.count(), overloaded),
      assert.rejects(
        prisma.$transaction((tx) => tx.order.count()),
        overloaded,
      ),
    ]),
  )
  assert.ok(!hasStopped)
  await release()
})

test('connections that break while they are lent leave their places to others', async (context) => {
  const { prisma, hold, database } = await open(context, { poolWait: 2_000 })
  const release = await hold(2)
  await observer.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders' AND datname = current_database()",
  )
  await assert.rejects(release())
  await waitFor('every connection to be back', () => database.usage().used === 0)
  await waitFor('an answer', () =>
    prisma.order
      .count()
      .then(() => true)
      .catch(() => false),
  )
  const releaseAgain = await hold(2)
  assert.equal(database.usage().used, 2)
  await releaseAgain()
  assert.deepEqual(database.usage(), { used: 0, idle: 2, waiting: 0, max: 2 })
})

test('a pool that is nearly used up is DEGRADED within 10 s, said once in the log, and UP again by itself', async (context) => {
  const lines: string[] = []
  const told: Log = { ...log, warn: (message) => lines.push(message), info: (message) => lines.push(message) }
  const { hold, database } = await open(context, { poolSize: 5, poolWait: 30_000, log: told })
  const health = createHealth([{ name: 'database', check: database.check, required: true }])
  await health.start()
  assert.equal(health.report().status, 'UP')

  const release = await hold(4)
  const time = await timed(waitFor('DEGRADED', () => health.report().status === 'DEGRADED'))
  assert.ok(time < 10_000, `${time} ms`)
  assert.equal(health.report().dependencies.database?.status, 'DEGRADED')
  assert.equal(health.report().dependencies.database?.reason, 'POOL_NEARLY_USED_UP')
  await release()
  await waitFor('UP', () => health.report().status === 'UP')
  assert.equal(health.report().dependencies.database?.reason, undefined)
  assert.deepEqual(lines, ['database pool nearly used up', 'database pool has room again'])
  health.stop()
})

test('the metrics tell how many connections are in use, idle and at the most, and how many calls wait and were refused', async (context) => {
  const metrics = createMetrics({ service: 'orders' })
  let close: () => unknown = () => {}
  const database = await openServiceDatabase({
    name: 'orders',
    url,
    config: { DATABASE_POOL_SIZE: 2, DATABASE_POOL_WAIT: 2_000, DATABASE_POOL_QUEUE: 1 },
    migrations: new URL('../../prisma/orders/migrations', import.meta.url),
    log,
    lifecycle: {
      ready: true,
      stopping: false,
      onStop(_name, stop) {
        close = () => stop({ orderly: true, elapsed: 0 })
      },
    },
    metrics,
  })
  const prisma = new PrismaClient({ adapter: database.adapter })
  const hold = holding(context, prisma)
  context.after(() => close())
  const read = async () => {
    const lines = (await metrics.text()).matchAll(/^(db_pool_\w+)(?:\{state="(\w+)",.*\}|\{.*\}) (\d+)$/gm)
    return Object.fromEntries([...lines].map(([, name, state, value]) => [state ?? name, Number(value)]))
  }
  const none = { used: 0, idle: 0, waiting: 0, max: 2, db_pool_nearly_used_up: 0, db_pool_refusals_total: 0 }
  assert.deepEqual(await read(), none)

  const release = await hold(2)
  const waiting = prisma.order.count().then()
  await waitFor('one to wait', () => database.usage().waiting === 1)
  await assert.rejects(prisma.order.count(), overloaded)
  assert.deepEqual(await read(), { ...none, used: 2, waiting: 1, db_pool_refusals_total: 1 })
  await assert.rejects(waiting, overloaded)
  await waitFor('the pool to be nearly used up', () => database.nearlyUsedUp)
  await release()
  assert.deepEqual(await read(), { ...none, idle: 2, db_pool_nearly_used_up: 1, db_pool_refusals_total: 2 })
})

test('a probe asks the database nothing, and a round of checks asks it', async (context) => {
  const { database } = await open(context)
  const health = createHealth([{ name: 'database', check: database.check, required: true }])
  const app = createHttpServer({
    lifecycle: { ready: true, stopping: false, onStop() {} },
    health,
    mask,
    bodyLimit: 1024,
  })
  const lastAsked = async (): Promise<Date> => {
    const { rows } = await observer.query(
      "SELECT query_start FROM pg_stat_activity WHERE application_name = 'orders-health' AND datname = current_database()",
    )
    assert.equal(rows.length, 1)
    return rows[0].query_start
  }
  await health.start()
  health.stop()
  const asked = await lastAsked()
  for (const path of ['/health', '/health/ready', '/health/live']) {
    const probes = await Promise.all(Array.from({ length: 200 }, () => app.inject(path)))
    assert.ok(probes.every(({ statusCode }) => statusCode === 200))
  }
  assert.deepEqual(await lastAsked(), asked)
  await health.start()
  health.stop()
  assert.notDeepEqual(await lastAsked(), asked)
  await app.close()
})
