import { randomUUID } from 'node:crypto'
import type { Bus, BusEvent } from './bus/bus.ts'
import { currentContext } from './context.ts'
import { openPool } from './database/pool.ts'
import { openSession, type Session } from './database/session.ts'
import type { Log } from './log.ts'
import { createLoop } from './loop.ts'

/** A Prisma transaction, as far as this needs one. */
export type SqlTransaction = {
  $executeRaw(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<number>
}

/** What has happened, to be told to others. */
export type NewEvent = {
  readonly type: string
  readonly topic: string
  readonly key: string
  readonly data: object
}

/** An event with its number among those of its aggregate. */
export type OutboxEvent = NewEvent & { readonly sequence: number }

/** Events with their numbers among those of their aggregate, of which it had `before`. */
export function numbered(events: readonly NewEvent[], before: number): OutboxEvent[] {
  return events.map((event, index) => ({ ...event, sequence: before + index + 1 }))
}

/**
 * Puts events into the outbox within the transaction that makes them true: they are told if and only if it commits.
 * Lock the aggregate's row before, so that the events of one key get their ids in the order of their transactions.
 */
export async function appendToOutbox(
  transaction: SqlTransaction,
  events: readonly OutboxEvent[],
  time: Date,
): Promise<void> {
  if (events.length === 0) return
  const { rows, traceparent, tracestate } = toRows(events)
  await transaction.$executeRaw`
    WITH added AS (
      INSERT INTO outbox (event_id, type, topic, key, sequence, data, time, traceparent, tracestate)
      SELECT event_id, type, topic, key, sequence, data, ${time}::timestamptz, ${traceparent}, ${tracestate}
      FROM jsonb_to_recordset(${rows}::jsonb)
        AS r (event_id uuid, type text, topic text, key text, sequence int, data jsonb)
      RETURNING 1
    )
    SELECT pg_notify('outbox', '') FROM added LIMIT 1`
}

/** A statement or a part of one, made as Prisma's `sql` makes it. */
type MakeSql<Sql> = (strings: readonly string[], ...values: unknown[]) => Sql

/**
 * The same as a part of the statement that makes the events true: a CTE that puts them in where `condition`, the name of another
 * one with a row or none, has a row. That statement wakes the relay by `pg_notify('outbox', '')`.
 */
export function outboxInsert<Sql>(sql: MakeSql<Sql>, events: readonly OutboxEvent[], time: Date, condition: Sql): Sql {
  const { rows, traceparent, tracestate } = toRows(events)
  return sql`
    INSERT INTO outbox (event_id, type, topic, key, sequence, data, time, traceparent, tracestate)
    SELECT event_id, r.type, topic, key, r.sequence, data, ${time}::timestamptz, ${traceparent}::text, ${tracestate}::text
    FROM ${condition}, jsonb_to_recordset(${rows}::jsonb)
      AS r (event_id uuid, type text, topic text, key text, sequence int, data jsonb)`
}

function toRows(events: readonly OutboxEvent[]) {
  // One that the event log could never take would hold up all that follow.
  const tooLarge = events.find(({ data }) => sizeOf(data) > largestEvent)
  if (tooLarge) throw new Error(`${tooLarge.type} is larger than ${largestEvent} bytes.`)
  const rows = JSON.stringify(events.map((event) => ({ ...event, event_id: randomUUID() })))
  const { traceparent = null, tracestate = null } = currentContext() ?? {}
  return { rows, traceparent, tracestate }
}

/** Bytes of an event's data, and of the events that are sent at once: event logs take about 1,000,000. */
const largestEvent = 500_000

function sizeOf(data: unknown): number {
  return Buffer.byteLength(JSON.stringify(data))
}

export type OutboxRelayOptions = {
  /** The service's database. */
  url: string
  /** The service's name: CloudEvents `source`. */
  source: string
  publish: Bus['publish']
  log: Log
  /** Events that are sent at once. Default 200. */
  batchSize?: number
}

/** Milliseconds after which the relay looks although nobody told it of an event, and tries to become the active one. */
const interval = 1_000
/** Milliseconds between two turns under load, which each send what has come meanwhile. */
const spacing = 50
/** The advisory lock of the one active relay of a database. Any number, the same for all. */
const relayLock = 6_181_934
/** Milliseconds that a stop spends on what is left. The next relay has the rest. */
const flushLimit = 5_000

/**
 * Sends what is in the outbox, in order, and marks it. One relay per database is active, the holder of an advisory
 * lock; the others wait to take over. Woken by NOTIFY, with a poll behind it.
 *
 * Guarantee: a row is marked sent only after the event log acknowledged it. A crash repeats an event, never loses one.
 * What is unsent is found by its mark and not by its id, so that a transaction that commits late is not passed over.
 */
export function createOutboxRelay({ url, source, publish, log, batchSize = 200 }: OutboxRelayOptions) {
  const loop = createLoop({ name: 'outbox relay', work, interval, spacing, log })
  // Apart from the relay's session, which ends whenever a send fails. Connects when it is asked.
  const pool = openPool({ url, name: `${source}-backlog`, size: 1, wait: 1_000, log })
  let session: Session | undefined
  let active = false

  async function work(): Promise<boolean> {
    session ??= await openSession({
      url,
      name: `${source}-outbox`,
      channel: 'outbox',
      onNotification: loop.wake,
      onLost: () => void disconnect().then(loop.wake),
    })
    try {
      active ||= await lock(session)
      return active && (await sendBatch(session))
    } catch (error) {
      await disconnect()
      throw error
    }
  }

  /** Ending the session gives the lock to the next relay. */
  async function disconnect(): Promise<void> {
    const ended = session
    session = undefined
    active = false
    await ended?.close()
  }

  /** Sends the oldest of what is unsent. True when there is more. */
  async function sendBatch(session: Session): Promise<boolean> {
    const { rows } = await session.query<OutboxRow>(unsentStatement, [batchSize])
    const batch = fitting(rows)
    if (batch.length === 0) return false
    await publish(batch.map((row) => toEvent(row, source)))
    await session.query(sentStatement, [batch.map(({ id }) => id)])
    return batch.length < rows.length || rows.length === batchSize
  }

  return {
    start: loop.start,
    /** What is not sent yet: how many, and the age of the oldest in seconds. Rejects while the database is away. */
    async backlog(): Promise<{ pending: number; oldest: number }> {
      const { rows } = await pool.query<{ pending: number; oldest: number }>(backlogStatement)
      return rows[0] ?? { pending: 0, oldest: 0 }
    },
    /** Sends what is left, as far as the event log takes it and time allows. */
    async stop(): Promise<void> {
      await loop.stop()
      const deadline = Date.now() + flushLimit
      try {
        while (session && active && Date.now() < deadline && (await sendBatch(session)));
      } catch (error) {
        log.warn('outbox not flushed', { error })
      }
      await Promise.all([disconnect(), !pool.ending && pool.end()])
    },
  }
}

const sentStatement = 'UPDATE outbox SET sent_at = now() WHERE id = ANY($1)'

const unsentStatement = `
  SELECT id, event_id, type, topic, key, sequence, time, traceparent, tracestate, data
  FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1`

/** More than that are not counted, so that a look costs little however many there are. */
export const mostCounted = 100_000

const backlogStatement = `
  SELECT (SELECT count(*)::int FROM (SELECT FROM outbox WHERE sent_at IS NULL LIMIT ${mostCounted}) AS unsent) AS pending,
         coalesce((SELECT greatest(extract(epoch FROM now() - time), 0)::float FROM outbox
                   WHERE sent_at IS NULL ORDER BY id LIMIT 1), 0) AS oldest`

type OutboxRow = {
  id: string
  event_id: string
  type: string
  topic: string
  key: string
  sequence: number
  time: Date
  traceparent: string | null
  tracestate: string | null
  data: unknown
}

function toEvent(row: OutboxRow, source: string): BusEvent {
  const { event_id: id, type, topic, key, sequence, time, traceparent, tracestate, data } = row
  return {
    id,
    type,
    topic,
    key,
    source,
    time,
    sequence,
    ...(traceparent && { traceparent }),
    ...(tracestate && { tracestate }),
    data,
  }
}

/** The first of the rows that can be sent at once: at least one. */
function fitting(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  let size = 0
  const end = rows.findIndex(({ data }, index) => {
    size += sizeOf(data)
    return index > 0 && size > largestEvent
  })
  return end < 0 ? rows : rows.slice(0, end)
}

async function lock(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [relayLock])
  return rows[0]?.locked ?? false
}
