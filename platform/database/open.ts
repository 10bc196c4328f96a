import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { z } from 'zod'
import { integer } from '../env.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Log } from '../log.ts'
import { migrate } from './migrate.ts'

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

export type DatabaseOptions = { name: string; url: string; poolSize: number; log: Log }

/** Opens a service's database. `adapter` goes to its Prisma client. */
export function openDatabase({ name, url, poolSize, log }: DatabaseOptions) {
  const open = (options: pg.PoolConfig) =>
    new pg.Pool({
      connectionString: url,
      application_name: name,
      connectionTimeoutMillis: poolWait,
      statement_timeout: statementLimit,
      idle_in_transaction_session_timeout: idleTransactionLimit,
      keepAlive: true,
      ...options,
      // An idle connection that breaks is replaced on the next use; without a listener it would end the process.
    }).on('error', (error) => log.warn('database connection lost', { error }))
  const pool = open({ max: poolSize })
  // Apart, so that a busy pool does not look like a dead database.
  const probe = open({ max: 1, application_name: `${name}-health` })
  return {
    adapter: new PrismaPg(pool),
    check: () => probe.query('SELECT 1'),
    close: () => Promise.all([pool.end(), probe.end()]),
  }
}

export type Database = ReturnType<typeof openDatabase>

/** Opens the database of a process: brought to the newest of `migrations`, closed when the process stops. */
export async function openServiceDatabase({
  migrations,
  lifecycle,
  ...options
}: DatabaseOptions & { migrations: URL; lifecycle: Lifecycle }): Promise<Database> {
  await migrate({ url: options.url, folder: fileURLToPath(migrations), log: options.log })
  const database = openDatabase(options)
  lifecycle.onStop('database', database.close)
  return database
}
