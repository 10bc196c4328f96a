import type { Log } from '../log.ts'
import { type Bus, type BusEvent, deadLetterTopic, keptDays, type Lag, type Subscription } from './bus.ts'
import { type LogRecord, toRecord } from './cloudevents.ts'
import { createDelivery, type Position } from './delivery.ts'
import type { BusMeters } from './meters.ts'
import { openPostgresLog } from './postgres-log.ts'
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
  const { pool, prepare, append } = openPostgresLog({ url, log })
  const subscriptions = new Set<Subscription>()

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
      for (const event of events) meters?.published(event)
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log, system: 'postgresql', ...(meters && { meters }) })
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
