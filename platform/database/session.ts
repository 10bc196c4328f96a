import { Socket } from 'node:net'
import pg from 'pg'
import { createStatementNames } from './prepared.ts'

export type Session = {
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<pg.QueryResult<Row>>
  close(): Promise<void>
}

export type SessionOptions = {
  url: string
  /** What PostgreSQL shows of it: `application_name`. */
  name: string
  /** The channel that it listens on. */
  channel: string
  onNotification: (payload: string) => void
  /** Told once when the connection is lost. The session is of no use then. */
  onLost: () => void
  /** What is done with it before it is of use. One for which that fails is closed. */
  begin?: (session: Pick<Session, 'query'>) => Promise<unknown>
  limits?: typeof defaultLimits
}

/** Milliseconds. */
const defaultLimits = {
  /** That connecting, a query and a close may take. */
  connect: 5_000,
  query: 10_000,
  close: 2_000,
  /** Between signs of life, and without one until the server ends the session. */
  heartbeat: 10_000,
  silence: 45_000,
}

/**
 * A connection of one's own, for LISTEN and for advisory locks, which last as long as it does.
 *
 * Guarantee: a connection that has gone silent is noticed at both ends. Here its queries fail, and the server ends the
 * session, so that another instance gets its locks.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { url, name, channel, onNotification, onLost, begin, limits = defaultLimits } = options
  const socket = new Socket()
  const client = new pg.Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: limits.connect,
    query_timeout: limits.query,
    stream: () => socket,
  })
  let open = true
  const lose = () => {
    if (open) onLost()
    open = false
  }
  client.on('error', lose)
  client.on('notification', ({ payload = '' }) => onNotification(payload))
  const nameOf = createStatementNames()

  async function close(): Promise<void> {
    open = false
    clearInterval(heartbeat)
    // A peer that is silent never answers the goodbye.
    const cut = setTimeout(() => socket.destroy(), limits.close)
    await client.end().catch(() => {})
    clearTimeout(cut)
  }

  let last: Promise<unknown> = Promise.resolve()
  /** One query at a time. */
  function query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    const result = last.then(() => client.query<Row>({ name: nameOf({ sql }), text: sql, values }))
    last = result.catch(() => {})
    return result
  }

  const heartbeat = setInterval(() => void query('SELECT 1').catch(lose), limits.heartbeat)
  heartbeat.unref()
  try {
    await client.connect()
    await query(`SET idle_session_timeout = ${limits.silence}`)
    await query(`LISTEN ${pg.escapeIdentifier(channel)}`)
    await begin?.({ query })
  } catch (error) {
    await close()
    throw error
  }
  return { query, close }
}
