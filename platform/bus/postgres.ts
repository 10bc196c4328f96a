import { createHash } from 'node:crypto'
import type pg from 'pg'
import { openPool } from '../database/open.ts'
import type { Log } from '../log.ts'
import {
  type Bus,
  type BusEvent,
  deadLetterTopic,
  keptDays,
  type Lag,
  partitionCount,
  type Subscription,
} from './bus.ts'
import { type LogRecord, toRecord } from './cloudevents.ts'
import { createDelivery, type Position } from './delivery.ts'
import type { BusMeters } from './meters.ts'
import { joinGroup } from './postgres-member.ts'

/** Milliseconds between looks for records that are kept no longer. */
const pruneInterval = 3_600_000

/**
 * The event log as tables of a PostgreSQL database, for machines without Kafka: topics of partitions of records with
 * dense offsets, groups with committed offsets, members that share partitions.
 *
 * Guarantee: an offset is given under its partition's row lock, so that a reader never sees a record before an
 * earlier one; a partition has one reader in a group, the holder of an advisory lock that a dead member's session drops.
 */
export function createPostgresBus({ url, log, meters }: { url: string; log: Log; meters?: BusMeters }): Bus {
  const pool = openPool({ url, name: 'bus', size: 4, wait: 5_000, log })
  const subscriptions = new Set<Subscription>()
  let prepared: Promise<void> | undefined

  function prepare(): Promise<void> {
    prepared ??= createTables(pool).catch((error) => {
      prepared = undefined
      throw error
    })
    return prepared
  }

  async function append(records: readonly (LogRecord & { topic: string })[]): Promise<void> {
    await prepare()
    await pool.query(appendStatement, [
      records.map(({ topic }) => topic),
      records.map(({ key }) => partitionOf(key)),
      records.map(({ key }) => key),
      records.map(({ headers }) => JSON.stringify(headers)),
      records.map(({ value }) => value),
    ])
  }

  const prune = setInterval(() => {
    void pool
      .query(pruneStatement, [keptDays.topics, keptDays.deadLetters])
      .catch((error) => log.warn('pruning failed', { error }))
  }, pruneInterval)
  prune.unref()

  return {
    async publish(events: readonly BusEvent[]) {
      if (events.length === 0) return
      await append(events.map((event) => ({ topic: event.topic, ...toRecord(event) })))
      for (const { topic } of events) meters?.published(topic)
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log, ...(meters && { meters }) })
      const member = joinGroup({ url, prepare, deliver, log, ...options })
      const topics = [...new Set(options.handlers.map(({ topic }) => topic))]
      const subscription: Subscription = {
        ...member,
        async lag() {
          await prepare()
          return (await pool.query<Lag>(lagStatement, [options.group, topics])).rows
        },
      }
      subscriptions.add(subscription)
      return subscription
    },
    check: () => pool.query('SELECT 1'),
    async close() {
      clearInterval(prune)
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()))
      await pool.end()
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
  SELECT pg_notify('bus', '') FROM added LIMIT 1`

/** What is pruned is not waited for: a group begins with the oldest record there is. */
const lagStatement = `
  SELECT t.topic, coalesce(sum(p.next_offset - greatest(o.next_offset, first."offset", 0)), 0)::int AS records
  FROM unnest($2::text[]) AS t (topic)
  LEFT JOIN bus_partitions p ON p.topic = t.topic
  LEFT JOIN bus_offsets o ON o.group_name = $1 AND o.topic = p.topic AND o.partition = p.partition
  LEFT JOIN LATERAL (
    SELECT coalesce(min(r."offset"), p.next_offset) AS "offset" FROM bus_records r
    WHERE r.topic = p.topic AND r.partition = p.partition
  ) first ON true
  GROUP BY t.topic`

const pruneStatement = `
  WITH old AS (
    DELETE FROM bus_records
    WHERE created_at < now() - make_interval(days => CASE WHEN topic LIKE '%.dlq' THEN $2::int ELSE $1::int END)
  )
  DELETE FROM bus_members m
  WHERE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = m.pid AND a.backend_start = m.backend_start)`
