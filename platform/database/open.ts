import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { z } from 'zod'
import { integer } from '../env.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { migrate } from './migrate.ts'
import { traceStatements } from './span.ts'

/** A PostgreSQL connection URL. */
export const databaseUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' })

export const databaseSettings = {
  /** Connections that one process holds at the most. Default 10. */
  DATABASE_POOL_SIZE: integer(1, 500).default(10),
}

/** Milliseconds that a caller waits for a free connection before it is refused with OVERLOADED. */
const poolWait = 2_000
/** Milliseconds after which the server ends a statement, and a transaction that nobody continues. */
const statementLimit = 10_000
const idleTransactionLimit = 15_000
/** Milliseconds after which a connection whose server says nothing is given up: more than the server needs to refuse. */
const silenceLimit = 12_000

/** Connections to a database that are lent out and come back. `wait`: milliseconds until a caller is refused. */
export function openPool({ url, name, size, wait, log, onStatement }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: name,
    max: size,
    connectionTimeoutMillis: wait,
    statement_timeout: statementLimit,
    query_timeout: silenceLimit,
    idle_in_transaction_session_timeout: idleTransactionLimit,
    keepAlive: true,
  })
  // A connection that breaks is replaced on the next use. Without a listener the break would end the process: while the
  // connection is idle, and between its loan and the borrower's own listener.
  pool.on('error', (error) => log.warn('database connection lost', { error }))
  pool.on('connect', (client) => {
    client.on('error', () => {})
    if (onStatement) tellStatements(client, onStatement)
  })
  return pool
}

type PoolOptions = { url: string; name: string; size: number; wait: number; log: Log; onStatement?: () => void }

/** `onStatement` is told of each statement that is sent. */
export type DatabaseOptions = { name: string; url: string; poolSize: number; log: Log; onStatement?: () => void }

function tellStatements(client: pg.PoolClient, onStatement: () => void): void {
  const send = client.query as (...args: unknown[]) => unknown
  const counted = (...args: unknown[]) => {
    onStatement()
    return send.apply(client, args)
  }
  client.query = counted as typeof client.query
}

/** Opens a service's database. `adapter` goes to its Prisma client. */
export function openDatabase({ name, url, poolSize, log, onStatement }: DatabaseOptions) {
  const pool = openPool({ url, name, size: poolSize, wait: poolWait, log, ...(onStatement && { onStatement }) })
  traceStatements(pool, url)
  // Apart, so that a busy pool does not look like a dead database.
  const probe = openPool({ url, name: `${name}-health`, size: 1, wait: poolWait, log })
  return {
    adapter: new PrismaPg(pool),
    check: () => probe.query('SELECT 1'),
    close: () => Promise.all([pool.end(), probe.end()]),
  }
}

export type Database = ReturnType<typeof openDatabase>

type ServiceDatabaseOptions = Omit<DatabaseOptions, 'onStatement'> & {
  migrations: URL
  lifecycle: Lifecycle
  metrics: Metrics
}

/** Opens the database of a process: brought to the newest of `migrations`, closed when the process stops. */
export async function openServiceDatabase({
  migrations,
  lifecycle,
  metrics,
  ...options
}: ServiceDatabaseOptions): Promise<Database> {
  await migrate({ url: options.url, folder: fileURLToPath(migrations), log: options.log })
  const statements = metrics.counter('db_statements_total', 'Statements sent to the database.')
  const database = openDatabase({ ...options, onStatement: () => statements.inc() })
  lifecycle.onStop('database', database.close)
  return database
}
