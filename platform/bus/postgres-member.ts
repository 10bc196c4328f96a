import { createHash } from 'node:crypto'
import { openSession, type Session } from '../database/session.ts'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import { type Membership, partitionCount, type SubscribeOptions } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import type { createDelivery, Position } from './delivery.ts'
import { readNews } from './postgres-news.ts'
import { createProgress, nameOf, parse } from './postgres-progress.ts'

/** Records that one round takes from each partition. */
const batchSize = 100
/** Milliseconds after which a member looks for records and members although nobody told it of any. */
const interval = 1_000
/** Milliseconds between two rounds under load, which each take what has come meanwhile. */
const spacing = 25

type JoinOptions = SubscribeOptions & {
  url: string
  prepare: () => Promise<void>
  deliver: ReturnType<typeof createDelivery>
  log: Log
}

/** One member of a group: a session that holds the locks of its partitions, and a loop that works through them. */
export function joinGroup({ url, prepare, deliver, log, group, handlers }: JoinOptions): Membership {
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const handled = new Set(handlers.map(({ topic, type }) => `${topic} ${type}`))
  const all = topics
    .flatMap((topic) => Array.from({ length: partitionCount }, (_, partition) => nameOf({ topic, partition })))
    .sort()
  const loop = createLoop({ name: `events for ${group}`, work: turn, interval, spacing, log })
  const { promise: joined, resolve: resolveJoined } = Promise.withResolvers<void>()
  let session: Session | undefined
  const held = new Set<string>()
  /** Partitions that wait for a repeat, with what ends the wait. */
  const paused = new Map<string, NodeJS.Timeout>()
  /** Partitions with news, and when all of them and the members are looked at next. */
  const withNews = new Set<string>()
  let lookAt = 0
  const progress = createProgress({ group, onDue: loop.wake })

  async function turn(): Promise<boolean> {
    await prepare()
    session ??= await enter()
    try {
      if (performance.now() >= lookAt) await look(session)
      const more = await round(session)
      if (progress.isDue()) await progress.commit(session)
      return more
    } catch (error) {
      await leave()
      throw error
    }
  }

  function enter(): Promise<Session> {
    lookAt = 0
    return openSession({
      url,
      name: `bus-${group}`,
      channel: 'bus',
      onNotification: hear,
      onLost: () => void leave().then(loop.wake),
      begin: ({ query }) => query(enterStatement, [group]),
    })
  }

  /** What is of no concern to this group is passed over with the next look at all. */
  function hear(payload: string): void {
    const news = readNews(payload)
    if (!news) lookAt = 0
    const concern = news?.filter(({ topic, type }) => handled.has(`${topic} ${type}`)) ?? []
    for (const partition of concern) withNews.add(nameOf(partition))
    if (!news || concern.length > 0) loop.wake()
  }

  /** Ending the session gives the partitions back; the entry goes so that the others learn of it at once. */
  async function leave(): Promise<void> {
    const left = session
    session = undefined
    held.clear()
    withNews.clear()
    progress.forget()
    await left?.query(leaveStatement).catch(() => {})
    await left?.close()
  }

  async function look(session: Session): Promise<void> {
    lookAt = performance.now() + interval
    await balance(session)
    resolveJoined()
    for (const name of held) withNews.add(name)
  }

  /** Takes and gives back partitions so that the members of the group have equal shares. */
  async function balance(session: Session): Promise<void> {
    const { rows } = await session.query<{ pid: number; own: boolean }>(membersStatement, [group])
    const rank = rows.findIndex(({ own }) => own)
    if (rank < 0) throw new Error('The member is gone from its group.')
    const isMine = (index: number) => index % rows.length === rank
    const given = all.filter((name, index) => held.has(name) && !isMine(index))
    if (given.length > 0) await progress.commit(session)
    for (const name of given) {
      await session.query('SELECT pg_advisory_unlock($1)', [lockOf(group, name)])
      held.delete(name)
      progress.forget(name)
    }
    for (const name of all.filter((name, index) => isMine(index) && !held.has(name))) {
      const { rows } = await session.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
        lockOf(group, name),
      ])
      if (rows[0]?.locked) held.add(name)
    }
    if (given.length > 0) await session.query("SELECT pg_notify('bus', '')")
  }

  /** Delivers what the partitions with news hold, each in order. True when there may be more. */
  async function round(session: Session): Promise<boolean> {
    const names = [...withNews].filter((name) => held.has(name) && !paused.has(name))
    withNews.clear()
    if (names.length === 0) return false
    const { rows } = await session.query<Row>(readStatement, [
      group,
      names.map((name) => parse(name).topic),
      names.map((name) => parse(name).partition),
      names.map((name) => progress.next(name) ?? null),
      batchSize,
    ])
    const byPartition = Map.groupBy(rows, nameOf)
    await Promise.all([...byPartition].map(([name, records]) => work(name, records)))
    const full = [...byPartition].filter(([, records]) => records.length === batchSize)
    for (const [name] of full) withNews.add(name)
    return full.length > 0
  }

  async function work(name: string, records: Row[]): Promise<void> {
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
      // The session may have been lost meanwhile, and the partition with it.
      if (!held.has(name)) break
      progress.handled(name, offset)
    }
  }

  function resume(name: string): void {
    clearTimeout(paused.get(name))
    paused.delete(name)
    withNews.add(name)
    loop.wake()
  }

  loop.start()
  return {
    joined,
    async stop() {
      await loop.stop()
      for (const timer of paused.values()) clearTimeout(timer)
      if (session) await progress.commit(session).catch((error) => log.warn('offsets not committed', { group, error }))
      await leave()
    },
  }
}

type Row = LogRecord & Position

function lockOf(group: string, name: string): bigint {
  return createHash('sha256').update(`${group} ${name}`).digest().readBigInt64BE()
}

const readStatement = `
  SELECT r.topic, r.partition, r."offset"::text AS "offset", r.key, r.headers, r.value
  FROM unnest($2::text[], $3::int[], $4::bigint[]) AS p (topic, partition, next_offset)
  LEFT JOIN bus_offsets o ON o.group_name = $1 AND o.topic = p.topic AND o.partition = p.partition
  CROSS JOIN LATERAL (
    SELECT * FROM bus_records r
    WHERE r.topic = p.topic AND r.partition = p.partition AND r."offset" >= coalesce(p.next_offset, o.next_offset, 0)
    ORDER BY r."offset" LIMIT $5
  ) r
  ORDER BY r.topic, r.partition, r."offset"`

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
