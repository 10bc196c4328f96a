import pg from 'pg'
import { createBulkhead } from '../bulkhead.ts'
import { timeLeft } from '../context.ts'
import { hasCode } from '../errors.ts'
import type { Log } from '../log.ts'

export type PoolOptions = {
  url: string
  /** What PostgreSQL shows of its connections, `application_name`, and whom a refusal names. */
  name: string
  /** Connections at the most. */
  size: number
  /** Milliseconds that a call waits for a free connection, and for one to be made. */
  wait: number
  /** Calls that wait. Default 1000. */
  queue?: number
  log: Log
  /** Told of each statement that is sent. */
  onStatement?: (() => void) | undefined
  /** Told of each call that got no connection in time. */
  onRefused?: (() => void) | undefined
}

/** What of a pool's connections is lent out, idle and waited for, now. */
export type PoolUsage = { used: number; idle: number; waiting: number; max: number }

/** Milliseconds after which the server ends a statement, and a transaction that nobody continues. */
const statementLimit = 10_000
const idleTransactionLimit = 15_000
/** Milliseconds after which a connection whose server says nothing is given up: more than the server needs to refuse. */
const silenceLimit = 12_000
/** Milliseconds that are left for a refusal to reach a caller before it stops waiting. */
const answerTime = 100

/**
 * Connections to a database that are lent out and come back, first come, first served.
 *
 * Guarantee: a call waits for a connection no longer than `wait`, and than its caller does, and `queue` calls wait at the
 * most. Every other one is refused with OVERLOADED, with nothing sent.
 */
export function openPool({ url, name, size, wait, queue = 1_000, log, onStatement, onRefused }: PoolOptions) {
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
  const turns = lendInTurn(pool, { name, size, wait, queue, onRefused })
  return Object.assign(pool, {
    usage: (): PoolUsage => ({ used: turns.underWay, idle: pool.idleCount, waiting: turns.waiting, max: size }),
  })
}

export type Pool = ReturnType<typeof openPool>

type Turns = Required<Pick<PoolOptions, 'name' | 'size' | 'wait' | 'queue'>> & Pick<PoolOptions, 'onRefused'>

/** Puts a queue with a bound before a pool, whose own has none. What asks the pool asks it through `connect`. */
function lendInTurn(pool: pg.Pool, { name, size, wait, queue, onRefused }: Turns) {
  const bulkhead = createBulkhead({ name, limits: () => ({ concurrency: size, queue }) })
  const connect: () => Promise<pg.PoolClient> = pool.connect.bind(pool)
  const returns = new WeakMap<pg.PoolClient, () => void>()
  pool.on('release', (_error, client) => returns.get(client)?.())

  function borrow(): Promise<pg.PoolClient> {
    const { promise, resolve, reject } = Promise.withResolvers<pg.PoolClient>()
    const lend = async () => {
      const client = await connect()
      const returned = new Promise<void>((resolve) => returns.set(client, resolve))
      resolve(client)
      await returned
    }
    const deadline = Date.now() + timeLeft(wait + answerTime) - answerTime
    bulkhead.run(lend, { deadline }).catch((error) => {
      if (hasCode(error, 'OVERLOADED')) onRefused?.()
      reject(error)
    })
    return promise
  }

  /** As the pool's own, which is called in both ways. */
  function lent(callback?: Callback): Promise<pg.PoolClient> | undefined {
    const client = borrow()
    if (!callback) return client
    client.then(
      (client) => callback(undefined, client, client.release),
      (error) => callback(error, undefined, () => {}),
    )
    return undefined
  }
  pool.connect = lent as typeof pool.connect
  return bulkhead
}

type Callback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void

function tellStatements(client: pg.PoolClient, onStatement: () => void): void {
  const send = client.query as (...args: unknown[]) => unknown
  const counted = (...args: unknown[]) => {
    onStatement()
    return send.apply(client, args)
  }
  client.query = counted as typeof client.query
}
