import { openSession, type Session } from '../database/session.ts'
import { createLoop } from '../loop.ts'
import { partitionCount } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import type { Position } from './delivery.ts'
import { type Follower, type FollowOptions, followInterval, hear } from './follower.ts'
import { readNews } from './postgres-news.ts'

/** Records that one turn takes at the most. */
const batchSize = 500

/** Follows the tables of the event log, from where they end when a session begins. */
export function followPostgres(url: string, options: FollowOptions): Follower {
  const { handlers, onGap, log } = options
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const followed = new Set(handlers.map(({ topic, type }) => `${topic} ${type}`))
  const loop = createLoop({ name: 'event follower', work: turn, interval: followInterval, log })
  /** The next offset of each partition. */
  const next = new Map<string, string>()
  let session: Session | undefined
  let heard = Number.NEGATIVE_INFINITY

  function enter(): Promise<Session> {
    return openSession({
      url,
      name: 'bus-follower',
      channel: 'bus',
      onNotification(payload) {
        const news = readNews(payload)
        if (!news || news.some(({ topic, type }) => followed.has(`${topic} ${type}`))) loop.wake()
      },
      onLost: () => void leave().then(loop.wake),
      async begin({ query }) {
        const { rows } = await query<Position>(endsStatement, [topics])
        next.clear()
        for (const { topic, partition, offset } of rows) next.set(`${topic}/${partition}`, offset)
        onGap()
      },
    })
  }

  async function leave(): Promise<void> {
    const left = session
    session = undefined
    heard = Number.NEGATIVE_INFINITY
    await left?.close()
  }

  async function turn(): Promise<boolean> {
    try {
      session ??= await enter()
      return await read(session)
    } catch (error) {
      await leave()
      throw error
    }
  }

  /** Hears what is new. True when there may be more. */
  async function read(session: Session): Promise<boolean> {
    const asked = performance.now()
    const positions = topics.flatMap((topic) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
    )
    const { rows } = await session.query<LogRecord & Position>(newsStatement, [
      positions.map(({ topic }) => topic),
      positions.map(({ partition }) => partition),
      positions.map(({ topic, partition }) => next.get(`${topic}/${partition}`) ?? '0'),
      batchSize,
    ])
    for (const { topic, partition, offset, ...record } of rows) {
      await hear(topic, record, options)
      next.set(`${topic}/${partition}`, String(BigInt(offset) + 1n))
    }
    if (rows.length === batchSize) return true
    heard = asked
    return false
  }

  loop.start()
  return {
    silence: () => performance.now() - heard,
    async stop() {
      await loop.stop()
      await leave()
    },
  }
}

/** A publisher that has not committed yet has offsets behind these. */
const endsStatement = `
  SELECT topic, partition, next_offset::text AS "offset" FROM bus_partitions WHERE topic = ANY ($1::text[])`

const newsStatement = `
  SELECT r.topic, r.partition, r."offset"::text AS "offset", r.key, r.headers, r.value
  FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p (topic, partition, next_offset)
  CROSS JOIN LATERAL (
    SELECT * FROM bus_records r
    WHERE r.topic = p.topic AND r.partition = p.partition AND r."offset" >= p.next_offset
    ORDER BY r."offset" LIMIT $4
  ) r
  ORDER BY r.topic, r.partition, r."offset" LIMIT $4`
