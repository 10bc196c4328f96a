import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import pg from 'pg'
import { PrismaClient } from '#generated/prisma/orders/client.ts'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { startTcpProxy, type TcpProxy } from '../../test/infra/tcp-proxy.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { databaseFailure } from '../database/failures.ts'
import { openDatabase } from '../database/open.ts'
import { openSession } from '../database/session.ts'
import { silentLog as log } from '../log.ts'

let url: string
let observer: pg.Client
before(async () => {
  url = await createTestDatabase('orders')
  observer = new pg.Client({ connectionString: url })
  await observer.connect()
})
after(() => observer.end())

test('connections that the server ends in the middle of work fail their callers and nothing else', async () => {
  const database = openDatabase({ name: 'victim', url, poolSize: 10, log })
  const prisma = new PrismaClient({ adapter: database.adapter })
  const failures: unknown[] = []
  let working = true
  const workers = Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      while (working) {
        const work = n % 2 ? prisma.order.count() : prisma.$transaction((tx) => tx.order.count())
        await work.catch((error) => failures.push(error))
      }
    }),
  )
  for (let round = 0; round < 60; round++) {
    await observer.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'")
  }
  working = false
  await workers
  assert.ok(failures.length > 0)
  const unexplained = failures.filter((error) => databaseFailure(error) === undefined)
  assert.deepEqual(unexplained.map(String), [])
  assert.equal(await prisma.order.count(), 0)
  await prisma.$disconnect()
  await database.close()
})

test('a statement that comes again and again is planned once for each connection', async () => {
  const database = openDatabase({ name: 'repeating', url, poolSize: 1, log })
  const prisma = new PrismaClient({ adapter: database.adapter })
  const prepared = () =>
    prisma.$queryRaw<{ statement: string; uses: number }[]>`
      SELECT statement, (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements
      WHERE name <> '' AND statement LIKE '%"orders"%'`
  for (let use = 0; use < 20; use++) await prisma.order.count()
  assert.deepEqual(
    (await prepared()).map(({ uses }) => uses),
    [16],
  )
  // Whatever plan was kept, it is made anew when the table has changed.
  await observer.query('ALTER TABLE orders ADD COLUMN later int')
  assert.equal(await prisma.order.count(), 0)
  await observer.query('ALTER TABLE orders DROP COLUMN later')
  assert.equal(await prisma.order.count(), 0)
  await prisma.$disconnect()
  await database.close()
})

test('work that the database takes too long for is overloaded, and nothing of it is done', async () => {
  const database = openDatabase({ name: 'slow', url, poolSize: 1, log })
  const prisma = new PrismaClient({ adapter: database.adapter })
  const isOverloaded = (error: unknown) => databaseFailure(error) === 'overloaded'
  const sleep = (tx: Pick<PrismaClient, '$queryRaw'>) => tx.$queryRaw`SELECT 1 FROM pg_sleep(0.3)`
  const late = prisma.$transaction(
    async (tx) => {
      await tx.$executeRaw`CREATE TABLE half_done ()`
      await sleep(tx)
      await tx.order.count()
    },
    { timeout: 100 },
  )
  await assert.rejects(late, isOverloaded)
  const cut = prisma.$transaction(async (tx) => {
    await tx.$executeRaw`CREATE TABLE half_done ()`
    await tx.$executeRaw`SET LOCAL statement_timeout = 100`
    await sleep(tx)
  })
  await assert.rejects(cut, isOverloaded)
  const left = await prisma.$queryRaw`SELECT 1 FROM pg_tables WHERE tablename = 'half_done'`
  assert.deepEqual(left, [])
  await prisma.$disconnect()
  await database.close()
})

describe('a server that cannot be reached is unavailable or overloaded, by whatever call that is found', () => {
  const works: Record<string, (prisma: PrismaClient) => PromiseLike<unknown>> = {
    'a model': (prisma) => prisma.order.count(),
    'SQL of our own': (prisma) => prisma.$queryRaw`SELECT 1 FROM pg_sleep(${0.02}::float)`,
    'a statement of our own': (prisma) => prisma.$executeRaw`UPDATE orders SET number = number WHERE false`,
    'a transaction': (prisma) =>
      prisma.$transaction(async (tx) => [await tx.order.count(), await tx.$queryRaw`SELECT 1`]),
  }
  const failures: Record<string, (proxy: TcpProxy) => Promise<void> | void> = {
    refused: (proxy) => proxy.cut(),
    silent: (proxy) => proxy.silence(),
    'reset again and again': async (proxy) => {
      for (let round = 0; round < 20; round++) {
        await proxy.restore()
        await waitFor('a connection', () => proxy.connections > 0)
        await proxy.cut()
      }
    },
  }
  for (const [how, fail] of Object.entries(failures)) {
    test(how, async () => {
      const proxy = await startTcpProxy(Number(new URL(url).port))
      const through = new URL(url)
      through.port = String(proxy.port)
      const database = openDatabase({ name: 'cut off', url: through.href, poolSize: 4, log })
      const prisma = new PrismaClient({ adapter: database.adapter })
      for (const work of Object.values(works)) await work(prisma)
      const found: Record<string, unknown[]> = {}
      let over = false
      const attempts = Object.entries(works).map(async ([what, work]) => {
        const errors: unknown[] = []
        found[what] = errors
        do {
          await work(prisma).then(undefined, (error) => errors.push(error))
          await turn()
        } while (!over || errors.length === 0)
      })
      await fail(proxy)
      over = true
      await Promise.all(attempts)
      for (const [what, errors] of Object.entries(found)) {
        const unexplained = errors.filter(
          (error) => !['unavailable', 'overloaded'].includes(databaseFailure(error) ?? ''),
        )
        assert.deepEqual(unexplained, [], what)
      }
      await proxy.restore()
      for (const work of Object.values(works)) await work(prisma)
      await prisma.$disconnect()
      await database.close()
      await proxy.stop()
    })
  }
})

describe('a connection that has gone silent', () => {
  const limits = { connect: 5_000, query: 2_000, close: 300, heartbeat: 200, silence: 4_000 }
  const sockets = new Set<Socket>()
  let silent = false
  /** Passes bytes on until it is told to be silent, as a network does that drops what it is given. */
  const proxy = createServer((down) => {
    const { hostname, port } = new URL(url)
    const up = connect(Number(port), hostname)
    for (const [from, to] of [
      [down, up],
      [up, down],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => silent || to.write(chunk)).on('error', () => {})
    }
  })
  before(() => new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve)))
  after(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })

  test('is noticed at both ends, and its locks go to the next', async () => {
    const through = new URL(url)
    through.port = String((proxy.address() as { port: number }).port)
    let lost = 0
    const session = await openSession({
      url: through.href,
      name: 'silent',
      channel: 'outbox',
      onNotification: () => {},
      onLost: () => {
        lost += 1
      },
      limits,
    })
    await session.query('SELECT pg_advisory_lock(1)')
    // Heartbeats keep a session that has nothing to say.
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.silence))
    assert.equal(await free(), false)
    assert.equal(lost, 0)

    silent = true
    await assert.rejects(session.query('SELECT 1'), (error) => databaseFailure(error) === 'unavailable')
    await waitFor('the loss to be told', () => lost === 1)
    await waitFor('the server to give the lock to another', free)
    await session.close()
    assert.equal(lost, 1)
  })

  async function free(): Promise<boolean> {
    const { rows } = await observer.query('SELECT pg_try_advisory_lock(1) AS free, pg_advisory_unlock(1)')
    return rows[0].free
  }
})
