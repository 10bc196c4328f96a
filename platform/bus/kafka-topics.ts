import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { isDeadLetterTopic, keptDays, type Lag, partitionCount } from './bus.ts'

/** Copies of each partition, as far as there are brokers; and how many of them must have a record before it counts. */
const replication = 3
const replicasInSync = 2
/** Bytes of a batch of records. A dead letter is larger than its record by the reason. */
const largestBatch = { topics: 1_048_588, deadLetters: 2_097_152 }

/** Attempts at what brokers refuse or do not tell while it is new to them, and milliseconds between them. */
export const mostAttempts = 30
export const attemptInterval = 100

/** How a topic is to be. */
export type TopicPlan = { partitions: number; replicas: number; config: Record<string, string> }

/** `name` is without the prefix. */
export function planTopic(name: string, brokers: number): TopicPlan {
  const replicas = Math.min(replication, brokers)
  const kind = isDeadLetterTopic(name) ? 'deadLetters' : 'topics'
  return {
    partitions: partitionCount,
    replicas,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': String(keptDays[kind] * 86_400_000),
      'max.message.bytes': String(largestBatch[kind]),
      'min.insync.replicas': String(Math.min(replicasInSync, replicas)),
    },
  }
}

/**
 * Creates a topic that is not there yet, and resolves when each of its partitions can be used. Of several that do so at
 * once, one does, and the others find it done.
 */
export async function createTopic(admin: Admin, topic: string, { partitions, replicas, config }: TopicPlan) {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic, numPartitions: partitions, replicationFactor: replicas, configEntries }],
  })
  await whileNew(() => admin.fetchTopicOffsets(topic))
}

/** Brokers learn of a new topic one by one, and refuse what concerns it until they have: kafkajs does not always repeat it. */
export async function whileNew<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (attempt === mostAttempts || !isOfNewTopic(error)) throw error
      await sleep(attemptInterval)
    }
  }
}

function isOfNewTopic(error: unknown): boolean {
  const { type } = (error ?? {}) as { type?: unknown }
  return ['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION'].includes(String(type))
}

/** How many records of each topic a group has still to handle. `prefix` begins their names at the brokers. */
export async function readLag(admin: Admin, prefix: string, group: string, topics: readonly string[]): Promise<Lag[]> {
  const committed = await admin.fetchOffsets({ groupId: prefix + group, topics: topics.map((name) => prefix + name) })
  return Promise.all(
    topics.map(async (topic) => {
      const { partitions = [] } = committed.find((one) => one.topic === prefix + topic) ?? {}
      const next = new Map(partitions.map(({ partition, offset }) => [partition, BigInt(offset)]))
      const ends = await admin.fetchTopicOffsets(prefix + topic)
      const behind = ends.map(({ partition, low, high }) => {
        const from = next.get(partition) ?? -1n
        return BigInt(high) - (from > BigInt(low) ? from : BigInt(low))
      })
      return { topic, records: Number(behind.reduce((sum, records) => sum + records, 0n)) }
    }),
  )
}
