import { createHash } from 'node:crypto'
import { openSession, type Session } from '../database/session.ts'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import { type Membership, partitionCount, type SubscribeOptions } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import type { createDelivery, Position } from './delivery.ts'

/** Records that one round takes from each partition. */
const batchSize = 100
/** Milliseconds after which a member looks for records and members although nobody told it of any. */
const interval = 1_000

type JoinOptions = SubscribeOptions & {
  url: string
  prepare: () => Promise<void>
  deliver: ReturnType<typeof createDelivery>
  log: Log
}

/** One member of a group: a session that holds the locks of its partitions, and a loop that works through them. */
export function joinGroup({ url, prepare, deliver, log, group, handlers }: JoinOptions): Membership {
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const all = topics
    .flatMap((topic) => Array.from({ length: partitionCount }, (_, partition) => `${topic}/${partition}`))
    .sort()
  const loop = createLoop({ name: `events for ${group}`, work: turn, interval, log })
  const { promise: joined, resolve: resolveJoined } = Promise.withResolvers<void>()
  let session: Session | undefined
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

  function enter(): Promise<Session> {
    return openSession({
      url,
      name: `bus-${group}`,
      channel: 'bus',
      onNotification: loop.wake,
      onLost: () => void leave().then(loop.wake),
      begin: ({ query }) => query(enterStatement, [group]),
    })
  }

  /** Ending the session gives the partitions back; the entry goes so that the others learn of it at once. */
  async function leave(): Promise<void> {
    const left = session
    session = undefined
    held.clear()
    await left?.query(leaveStatement).catch(() => {})
    await left?.close()
  }

  /** Takes and gives back partitions so that the members of the group have equal shares. */
  async function balance(session: Session): Promise<void> {
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
  async function round(session: Session): Promise<boolean> {
    const ready = [...held].filter((name) => !paused.has(name)).map(parse)
    const { rows } = await session.query<Row>(readStatement, [
      group,
      ready.map(({ topic }) => topic),
      ready.map(({ partition }) => partition),
      batchSize,
    ])
    const byPartition = Map.groupBy(rows, ({ topic, partition }) => `${topic}/${partition}`)
    const progress = await Promise.all([...byPartition].map(([name, records]) => work(name, records)))
    const moved = progress.filter((position) => position !== undefined)
    if (moved.length === 0) return false
    await session.query(commitStatement, [
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

function lockOf(group: string, name: string): bigint {
  return createHash('sha256').update(`${group} ${name}`).digest().readBigInt64BE()
}

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
