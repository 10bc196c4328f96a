import { createHash } from 'node:crypto'
import type pg from 'pg'
import { openPool } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { partitionCount } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import { writeNews } from './postgres-news.ts'

/** The tables of the event log: topics of partitions of records. */
export function openPostgresLog({ url, log }: { url: string; log: Log }) {
  const pool = openPool({ url, name: 'bus', size: 4, wait: 5_000, log })
  let prepared: Promise<void> | undefined

  function prepare(): Promise<void> {
    prepared ??= createTables(pool).catch((error) => {
      prepared = undefined
      throw error
    })
    return prepared
  }

  return {
    pool,
    /** Creates the tables that are missing, once. */
    prepare,
    /** Resolves when all records are stored for good. */
    async append(records: readonly (LogRecord & { topic: string })[]): Promise<void> {
      await prepare()
      const placed = records.map((record) => ({ ...record, partition: partitionOf(record.key) }))
      const values = [
        placed.map(({ topic }) => topic),
        placed.map(({ partition }) => partition),
        placed.map(({ key }) => key),
        placed.map(({ headers }) => JSON.stringify(headers)),
        placed.map(({ value }) => value),
        writeNews(placed),
      ]
      await pool.query({ name: 'bus_append', text: appendStatement, values })
    },
  }
}

function partitionOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() % partitionCount
}

/** Any number, the same for every process. */
const tablesLock = 4_917_310

async function createTables(pool: pg.Pool): Promise<void> {
  // One transaction, as statements that are sent together are. Without the lock two processes that create the same table
  // at once can fail, IF NOT EXISTS or not.
  await pool.query(`
      SELECT pg_advisory_xact_lock(${tablesLock});
      CREATE TABLE IF NOT EXISTS bus_partitions (
        topic TEXT NOT NULL, partition INT NOT NULL, next_offset BIGINT NOT NULL,
        PRIMARY KEY (topic, partition)
      );
      CREATE TABLE IF NOT EXISTS bus_records (
        topic TEXT NOT NULL, partition INT NOT NULL, "offset" BIGINT NOT NULL,
        key TEXT NOT NULL, headers JSONB NOT NULL, value BYTEA NOT NULL, created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (topic, partition, "offset")
      );
      CREATE INDEX IF NOT EXISTS bus_records_created_at_idx ON bus_records USING brin (created_at);
      CREATE TABLE IF NOT EXISTS bus_offsets (
        group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INT NOT NULL, next_offset BIGINT NOT NULL,
        PRIMARY KEY (group_name, topic, partition)
      );
      CREATE TABLE IF NOT EXISTS bus_members (
        group_name TEXT NOT NULL, pid INT NOT NULL, backend_start TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (group_name, pid)
      )`)
}

/** Locks the partitions in order, so that two publishers cannot wait for each other, and gives out dense offsets. */
const appendStatement = `
  WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::jsonb[], $5::bytea[])
      WITH ORDINALITY AS input (topic, partition, key, headers, value, ord)
  ), counted AS MATERIALIZED (
    SELECT topic, partition, count(*) AS records FROM input GROUP BY topic, partition ORDER BY topic, partition
  ), advanced AS (
    INSERT INTO bus_partitions AS p (topic, partition, next_offset)
    SELECT topic, partition, records FROM counted ORDER BY topic, partition
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = p.next_offset + excluded.next_offset
    RETURNING p.topic, p.partition, p.next_offset
  ), added AS (
    INSERT INTO bus_records (topic, partition, "offset", key, headers, value)
    SELECT i.topic, i.partition,
           a.next_offset - c.records + row_number() OVER (PARTITION BY i.topic, i.partition ORDER BY i.ord) - 1,
           i.key, i.headers, i.value
    FROM input i JOIN counted c USING (topic, partition) JOIN advanced a USING (topic, partition)
    RETURNING 1
  )
  SELECT pg_notify('bus', $6) FROM added LIMIT 1`
