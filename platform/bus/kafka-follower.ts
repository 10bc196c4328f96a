import { randomUUID } from 'node:crypto'
import type { Consumer, EachBatchPayload } from 'kafkajs'
import { createLoop } from '../loop.ts'
import { type Follower, type FollowOptions, followInterval, hear } from './follower.ts'
import { createKafkaClient, type KafkaOptions } from './kafka-client.ts'
import { toLogRecord } from './kafka-member.ts'

/** Milliseconds of silence after which the brokers are asked anew who has what, and between looks for it. */
const patience = 15_000
const lookInterval = 1_000

/** What one broker was asked, by `performance.now()`: last, and before that, the answer to which has been heard. */
type Asked = { last: number; heard: number | undefined }

/**
 * Follows Kafka's topics, from where they end when it joins: as the only member of a group that is new each time, and
 * commits nothing.
 */
export function followKafka(kafkaOptions: KafkaOptions, options: FollowOptions): Follower {
  const { handlers, onGap, log } = options
  const { prefix = '', clientId } = kafkaOptions
  const kafka = createKafkaClient(kafkaOptions)
  const topics = [...new Set(handlers.map(({ topic }) => prefix + topic))]
  const brokers = new Map<number, Asked>()
  /** Partitions of which there is more than was heard. */
  const behind = new Set<string>()
  const loop = createLoop({ name: 'event follower', work: look, interval: lookInterval, log })
  let consumer: Consumer | undefined
  let joinedAt = 0

  async function join(): Promise<void> {
    const member = kafka.consumer({
      groupId: `${prefix}${clientId}-follower-${randomUUID()}`,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: followInterval,
      // It joins again by itself, and sooner.
      retry: { restartOnFailure: async () => false },
    })
    const { GROUP_JOIN, FETCH_START, CRASH } = member.events
    consumer = member
    joinedAt = performance.now()
    member.on(GROUP_JOIN, forget)
    member.on(CRASH, ({ payload: { error } }) => {
      log.warn('event follower restarts', { error })
      void leave().then(loop.wake)
    })
    member.on(FETCH_START, ({ payload: { nodeId } }) => asks(nodeId))
    await member.connect()
    await member.subscribe({ topics, fromBeginning: false })
    await member.run({ autoCommit: false, eachBatch })
  }

  /** A broker is asked again once all that it answered before is heard. */
  function asks(broker: number): void {
    const now = performance.now()
    const asked = brokers.get(broker)
    if (!asked) return void brokers.set(broker, { last: now, heard: undefined })
    // Where the log ends was asked after the first: from here on nothing is missed.
    if (asked.heard === undefined) onGap()
    if (behind.size === 0) asked.heard = asked.last
    asked.last = now
  }

  async function eachBatch({ batch, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = batch
    for (const message of messages) {
      if (!isRunning() || isStale()) return
      await hear(topic.slice(prefix.length), toLogRecord(message), options)
    }
    if (BigInt(batch.offsetLag()) > 0n) behind.add(`${topic}/${partition}`)
    else behind.delete(`${topic}/${partition}`)
  }

  function forget(): void {
    brokers.clear()
    behind.clear()
  }

  function silence(): number {
    const heard = [...brokers.values()].map(({ heard = Number.NEGATIVE_INFINITY }) => heard)
    return performance.now() - Math.min(...(heard.length > 0 ? heard : [Number.NEGATIVE_INFINITY]))
  }

  async function leave(): Promise<void> {
    const left = consumer
    consumer = undefined
    forget()
    await left?.disconnect().catch(() => {})
  }

  /** Joins, and joins again what has fallen silent: kafkajs may wait for a broker that leads nothing any more. */
  async function look(): Promise<boolean> {
    if (consumer && (silence() < patience || performance.now() - joinedAt < patience)) return false
    await leave()
    try {
      await join()
    } catch (error) {
      await leave()
      throw error
    }
    return false
  }

  loop.start()
  return {
    silence,
    async stop() {
      await loop.stop()
      await leave()
    },
  }
}
