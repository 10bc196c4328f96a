import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import {
  type Bus,
  type BusEvent,
  deadLetterTopic,
  partitionCount,
  type SubscribeOptions,
  type Subscription,
} from './bus.ts'
import { type LogRecord, toRecord } from './cloudevents.ts'
import { createDelivery, type Position } from './delivery.ts'

/** Records that one round takes from each partition. */
const batchSize = 100
/** Milliseconds after which a member looks for records and members although nobody told it of any. */
const interval = 1_000
/** Days that records are kept. */
const keptDays = { topics: 7, deadLetters: 30 }
const pruneInterval = 3_600_000

/**
 * The event log as tables of a PostgreSQL database, for machines without Kafka: topics of partitions of records with
 * dense offsets, groups with committed offsets, members that share partitions.
 *
 * Guarantee: an offset is given under its partition's row lock, so that a reader never sees a record before an
 * earlier one; a partition has one reader in a group, the holder of an advisory lock that a dead member's session drops.
 */
export function createPostgresBus({ url, log }: { url: string; log: Log }): Bus {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5_000, application_name: 'bus' })
  pool.on('error', (error) => log.warn('event log connection lost', { error }))
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
      if (events.length > 0) await append(events.map((event) => ({ topic: event.topic, ...toRecord(event) })))
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log })
      const subscription = join({ url, prepare, deliver, log, ...options })
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

type JoinOptions = SubscribeOptions & {
  url: string
  prepare: () => Promise<void>
  deliver: ReturnType<typeof createDelivery>
  log: Log
}

/** One member of a group: a session that holds the locks of its partitions, and a loop that works through them. */
function join({ url, prepare, deliver, log, group, handlers }: JoinOptions): Subscription {
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const all = topics
    .flatMap((topic) => Array.from({ length: partitionCount }, (_, partition) => `${topic}/${partition}`))
    .sort()
  const loop = createLoop({ name: `events for ${group}`, work: turn, interval, log })
  const { promise: joined, resolve: resolveJoined } = Promise.withResolvers<void>()
  let session: pg.Client | undefined
  const held = new Set<string>()
  /** Partitions that wait for a repeat, with what ends the wait. */
  const paused = new Map<string, NodeJS.Timeout>()

  async function turn(): Promise<boolean> {
    await prepare()
    session ??= await enter()
    try {
      await balance(session)
      resolveJoined()
      return await round(session)
    } catch (error) {
      await leave()
      throw error
    }
  }

  async function enter(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url, application_name: `bus-${group}`, keepAlive: true })
    client.on('notification', () => loop.wake())
    client.on('error', () => void leave().then(() => loop.wake()))
    await client.connect()
    await client.query('LISTEN bus')
    await client.query(enterStatement, [group])
    return client
  }

  /** Ending the session gives the partitions back; the entry goes so that the others learn of it at once. */
  async function leave(): Promise<void> {
    const client = session
    session = undefined
    held.clear()
    await client?.query(leaveStatement).catch(() => {})
    await client?.end().catch(() => {})
  }

  /** Takes and gives back partitions so that the members of the group have equal shares. */
  async function balance(session: pg.Client): Promise<void> {
    const { rows } = await session.query<{ pid: number; own: boolean }>(membersStatement, [group])
    const rank = rows.findIndex(({ own }) => own)
    if (rank < 0) throw new Error('The member is gone from its group.')
    let given = false
    for (const [index, name] of all.entries()) {
      const mine = index % rows.length === rank
      if (mine && !held.has(name)) {
        const { rows } = await session.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
          lockOf(group, name),
        ])
        if (rows[0]?.locked) held.add(name)
      } else if (!mine && held.has(name)) {
        await session.query('SELECT pg_advisory_unlock($1)', [lockOf(group, name)])
        held.delete(name)
        given = true
      }
    }
    if (given) await session.query("SELECT pg_notify('bus', '')")
  }

  /** Delivers what the partitions at hand hold, each in order, and commits how far each came. True when any did. */
  async function round(client: pg.Client): Promise<boolean> {
    const ready = [...held].filter((name) => !paused.has(name)).map(parse)
    const { rows } = await client.query<Row>(readStatement, [
      group,
      ready.map(({ topic }) => topic),
      ready.map(({ partition }) => partition),
      batchSize,
    ])
    const byPartition = Map.groupBy(rows, ({ topic, partition }) => `${topic}/${partition}`)
    const progress = await Promise.all([...byPartition].map(([name, records]) => work(name, records)))
    const moved = progress.filter((position) => position !== undefined)
    if (moved.length === 0) return false
    await client.query(commitStatement, [
      group,
      moved.map(({ topic }) => topic),
      moved.map(({ partition }) => partition),
      moved.map(({ next }) => next),
    ])
    return true
  }

  async function work(
    name: string,
    records: Row[],
  ): Promise<{ topic: string; partition: number; next: string } | undefined> {
    let next: string | undefined
    for (const { topic, partition, offset, key, headers, value } of records) {
      if (loop.stopping) break
      const pause = await deliver({ key, headers, value }, { topic, partition, offset })
      if (pause > 0) {
        paused.set(
          name,
          setTimeout(() => resume(name), pause),
        )
        break
      }
      next = String(BigInt(offset) + 1n)
    }
    return next === undefined ? undefined : { ...parse(name), next }
  }

  function resume(name: string): void {
    clearTimeout(paused.get(name))
    paused.delete(name)
    loop.wake()
  }

  loop.start()
  return {
    joined,
    async stop() {
      await loop.stop()
      for (const timer of paused.values()) clearTimeout(timer)
      await leave()
    },
  }
}

type Row = LogRecord & Position

function parse(name: string): { topic: string; partition: number } {
  const slash = name.lastIndexOf('/')
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) }
}

function partitionOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() % partitionCount
}

function lockOf(group: string, name: string): bigint {
  return createHash('sha256').update(`${group} ${name}`).digest().readBigInt64BE()
}

/** Any number, the same for every process. */
const tablesLock = 4_917_310

async function createTables(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    // Two processes that create the same table at once can fail, IF NOT EXISTS or not.
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [tablesLock])
    await client.query(`
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
    await client.query('COMMIT')
  } finally {
    client.release()
  }
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

const readStatement = `
  SELECT r.topic, r.partition, r."offset"::text AS "offset", r.key, r.headers, r.value
  FROM unnest($2::text[], $3::int[]) AS p (topic, partition)
  LEFT JOIN bus_offsets o ON o.group_name = $1 AND o.topic = p.topic AND o.partition = p.partition
  CROSS JOIN LATERAL (
    SELECT * FROM bus_records r
    WHERE r.topic = p.topic AND r.partition = p.partition AND r."offset" >= coalesce(o.next_offset, 0)
    ORDER BY r."offset" LIMIT $4
  ) r
  ORDER BY r.topic, r.partition, r."offset"`

/** Never backwards: a member that lost a partition without knowing cannot undo what the next one did. */
const commitStatement = `
  INSERT INTO bus_offsets AS o (group_name, topic, partition, next_offset)
  SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[])
  ON CONFLICT (group_name, topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset WHERE o.next_offset < excluded.next_offset`

/** A member is its session: one whose session is gone is gone itself. */
const enterStatement = `
  WITH entered AS (
    INSERT INTO bus_members (group_name, pid, backend_start)
    SELECT $1, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
    ON CONFLICT (group_name, pid) DO UPDATE SET backend_start = excluded.backend_start
    RETURNING 1
  )
  SELECT pg_notify('bus', '') FROM entered`

const leaveStatement = `
  WITH gone AS (DELETE FROM bus_members WHERE pid = pg_backend_pid() RETURNING 1)
  SELECT pg_notify('bus', '') FROM gone`

const membersStatement = `
  SELECT m.pid, m.pid = pg_backend_pid() AS own
  FROM bus_members m JOIN pg_stat_activity a ON a.pid = m.pid AND a.backend_start = m.backend_start
  WHERE m.group_name = $1
  ORDER BY m.pid`

const pruneStatement = `
  WITH old AS (
    DELETE FROM bus_records
    WHERE created_at < now() - make_interval(days => CASE WHEN topic LIKE '%.dlq' THEN $2::int ELSE $1::int END)
  )
  DELETE FROM bus_members m
  WHERE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = m.pid AND a.backend_start = m.backend_start)`
