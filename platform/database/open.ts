import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { integer, type Parsed } from '../env.ts'
import { Degraded } from '../health.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { migrate } from './migrate.ts'
import { openPool } from './pool.ts'
import { watchPool } from './pool-watch.ts'
import { createStatementNames } from './prepared.ts'
import { traceStatements } from './span.ts'

export const databaseSettings = {
  /** Connections that one process holds at the most. Default 10. */
  DATABASE_POOL_SIZE: integer(1, 500).default(10),
  /** Milliseconds that a call waits for a free connection. Default 2000, which is also the most. */
  DATABASE_POOL_WAIT: integer(1, 2_000).default(2_000),
  /** Calls that wait for one. Default 1000. */
  DATABASE_POOL_QUEUE: integer(0, 100_000).default(1_000),
}

/** Prisma gives up a transaction that got no connection in 2000 ms, in words of its own. Milliseconds: ours come first. */
const longestWait = 1_950
/** Milliseconds that a health check waits for a connection of its own. */
const probeWait = 2_000

/** `onStatement` is told of each statement that is sent, `onRefused` of each call that got no connection. */
export type DatabaseOptions = {
  name: string
  url: string
  poolSize: number
  /** Milliseconds. Default 2000. */
  poolWait?: number
  /** Default 1000. */
  poolQueue?: number
  log: Log
  onStatement?: () => void
  onRefused?: () => void
}

/** Opens a service's database. `adapter` goes to its Prisma client. */
export function openDatabase(options: DatabaseOptions) {
  const { name, url, poolSize: size, poolWait: wait = 2_000, poolQueue: queue = 1_000, log, ...told } = options
  const pool = openPool({ url, name, size, wait: Math.min(wait, longestWait), queue, log, ...told })
  const watch = watchPool({ name, usage: pool.usage, log })
  traceStatements(pool, url)
  // Apart, so that a busy pool does not look like a dead database.
  const probe = openPool({ url, name: `${name}-health`, size: 1, wait: probeWait, log })
  return {
    adapter: new PrismaPg(pool, { statementNameGenerator: createStatementNames() }),
    /** Rejects when the database does not answer, with `Degraded` while it does and its pool is nearly used up. */
    async check(): Promise<void> {
      await probe.query('SELECT 1')
      if (watch.nearlyUsedUp) throw new Degraded('POOL_NEARLY_USED_UP')
    },
    usage: pool.usage,
    /** Whether 80 % and more of the pool's connections have been in use for a while. */
    get nearlyUsedUp(): boolean {
      return watch.nearlyUsedUp
    },
    async close(): Promise<void> {
      watch.stop()
      await Promise.all([pool.end(), probe.end()])
    },
  }
}

export type Database = ReturnType<typeof openDatabase>

type ServiceDatabaseOptions = Pick<DatabaseOptions, 'name' | 'url' | 'log'> & {
  config: Parsed<typeof databaseSettings>
  migrations: URL
  lifecycle: Lifecycle
  metrics: Metrics
}

/** Opens the database of a process: brought to the newest of `migrations`, closed when the process stops. */
export async function openServiceDatabase(options: ServiceDatabaseOptions): Promise<Database> {
  const { name, url, config, migrations, log, lifecycle, metrics } = options
  await migrate({ url, folder: fileURLToPath(migrations), log })
  const statements = metrics.counter('db_statements_total', 'Statements sent to the database.')
  const refusals = metrics.counter('db_pool_refusals_total', 'Calls that got no connection in time.')
  const database = openDatabase({
    name,
    url,
    poolSize: config.DATABASE_POOL_SIZE,
    poolWait: config.DATABASE_POOL_WAIT,
    poolQueue: config.DATABASE_POOL_QUEUE,
    log,
    onStatement: () => statements.inc(),
    onRefused: () => refusals.inc(),
  })
  meterPool(metrics, database)
  lifecycle.onStop('database', database.close)
  return database
}

function meterPool(metrics: Metrics, database: Database): void {
  const connections = 'Connections to the database in use, idle and at the most, and calls that wait for one.'
  metrics.measured({ db_pool_connections: connections }, ['state'], async () =>
    Object.entries(database.usage()).map(([state, count]) => ({
      labels: { state },
      values: { db_pool_connections: count },
    })),
  )
  const nearlyUsedUp = 'Whether 80 % and more of the connections have been in use for 3 s: 1 or 0.'
  metrics.measured({ db_pool_nearly_used_up: nearlyUsedUp }, [], async () => [
    { labels: {}, values: { db_pool_nearly_used_up: Number(database.nearlyUsedUp) } },
  ])
}
