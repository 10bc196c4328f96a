import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs'
import type { Log } from '../log.ts'
import type { Membership, SubscribeOptions } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import type { createDelivery } from './delivery.ts'

type JoinOptions = SubscribeOptions & {
  kafka: Kafka
  prefix: string
  ensureTopics: (topics: readonly string[]) => Promise<void>
  deliver: ReturnType<typeof createDelivery>
  log: Log
}

/** Milliseconds after which a member that says nothing loses its partitions to the others. */
const sessionTimeout = 10_000
const heartbeatInterval = 2_000
/** Milliseconds between attempts to join. */
const retryInterval = 2_000
/** Milliseconds that a stop waits for a join under way: a member that leaves while joining stays in the group as a ghost. */
const joinPatience = 3_000

/** One member of a group. It joins, and joins again whatever ends its membership, until it is stopped. */
export function joinKafkaGroup({ kafka, prefix, ensureTopics, deliver, log, group, handlers }: JoinOptions) {
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const { promise: joined, resolve: resolveJoined } = Promise.withResolvers<void>()
  const pauses = new Set<NodeJS.Timeout>()
  let consumer: Consumer | undefined
  let running = false
  let stopping = false

  async function keepJoined(): Promise<void> {
    while (!stopping) {
      try {
        return await join()
      } catch (error) {
        log.warn('event log unreachable', { group, error })
        await consumer?.disconnect().catch(() => {})
        await sleep(retryInterval, undefined, { ref: false })
      }
    }
  }

  async function join(): Promise<void> {
    await ensureTopics(topics)
    if (stopping) return
    const member = kafka.consumer({
      groupId: prefix + group,
      sessionTimeout,
      heartbeatInterval,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 1_000,
      retry: { restartOnFailure: async () => !stopping },
    })
    consumer = member
    member.on(member.events.GROUP_JOIN, () => resolveJoined())
    member.on(member.events.CRASH, ({ payload: { error, restart } }) => {
      log.warn('event consumer restarts', { group, error })
      // What kafkajs takes for final, such as a refused authorization, may be mended by an operator.
      if (!restart) setTimeout(() => void keepJoined(), retryInterval).unref()
    })
    await member.connect()
    await member.subscribe({ topics: topics.map((topic) => prefix + topic), fromBeginning: true })
    running = true
    await member.run({ eachBatch, eachBatchAutoResolve: false, partitionsConsumedConcurrently: 4 })
  }

  async function eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, pause, isRunning, isStale } = payload
    // A handler may take longer than a session lasts.
    const beat = setInterval(() => void heartbeat().catch(() => {}), heartbeatInterval)
    try {
      for (const message of batch.messages) {
        if (!isRunning() || isStale()) return
        // Fails when the group is being shared out anew: what may be another member's by then is not begun. What was
        // handled until then is committed before this member joins again.
        await heartbeat()
        const position = { topic: batch.topic.slice(prefix.length), partition: batch.partition, offset: message.offset }
        const wait = await deliver(toLogRecord(message), position)
        // The offsets resolved so far are committed; the partition goes on with this record after the pause.
        if (wait > 0) return resumeAfter(wait, pause())
        resolveOffset(message.offset)
      }
    } finally {
      clearInterval(beat)
    }
  }

  function resumeAfter(wait: number, resume: () => void): void {
    const timer = setTimeout(() => {
      pauses.delete(timer)
      resume()
    }, wait)
    pauses.add(timer)
  }

  void keepJoined()
  const membership: Membership = {
    joined,
    async stop() {
      stopping = true
      for (const timer of pauses) clearTimeout(timer)
      if (running) await Promise.race([joined, sleep(joinPatience, undefined, { ref: false })])
      await consumer?.disconnect()
    },
  }
  return membership
}

export function toLogRecord({ key, headers = {}, value }: KafkaMessage): LogRecord {
  const text = Object.entries(headers).map(([name, header]) => [name, String(header)])
  return { key: key?.toString() ?? '', headers: Object.fromEntries(text), value: value ?? Buffer.alloc(0) }
}
