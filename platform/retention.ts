import { openPool } from './database/pool.ts'
import type { Log } from './log.ts'
import { createLoop } from './loop.ts'

/** Milliseconds between looks, and rows that one statement deletes. */
const interval = 3_600_000
const batchSize = 5_000

/**
 * What is deleted: events sent more than 7 days ago, and marks of events handled more than 45 days ago, which is longer
 * than any event log or dead letter is kept, so that a mark outlives every repeat of its event.
 */
const statements = {
  // The oldest are first by id, so that a look costs the same however many there are.
  outbox: `
    DELETE FROM outbox WHERE id IN (
      SELECT id FROM (SELECT id, sent_at FROM outbox ORDER BY id LIMIT ${batchSize}) AS oldest
      WHERE sent_at < now() - interval '7 days')`,
  inbox: `
    DELETE FROM inbox WHERE event_id IN (
      SELECT event_id FROM inbox WHERE handled_at < now() - interval '45 days' LIMIT ${batchSize})`,
}

export type RetentionOptions = {
  /** The service's database. */
  url: string
  name: string
  table: keyof typeof statements
  log: Log
}

/** Deletes, once an hour, what a service's outbox or inbox needs no longer. */
export function createRetention({ url, name, table, log }: RetentionOptions) {
  const pool = openPool({ url, name: `${name}-retention`, size: 1, wait: 5_000, log })
  const loop = createLoop({ name: `${table} retention`, work, interval, log })

  async function work(): Promise<boolean> {
    const { rowCount } = await pool.query(statements[table])
    return rowCount === batchSize
  }

  return {
    start: loop.start,
    async stop(): Promise<void> {
      await loop.stop()
      await pool.end()
    },
  }
}
