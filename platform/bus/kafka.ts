import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { Log } from '../log.ts'
import {
  type Bus,
  type BusEvent,
  deadLetterTopic,
  isDeadLetterTopic,
  keptDays,
  partitionCount,
  type Subscription,
} from './bus.ts'
import { type LogRecord, toRecord } from './cloudevents.ts'
import { createDelivery, type Position } from './delivery.ts'
import { joinKafkaGroup } from './kafka-member.ts'
import { createKafkaSender } from './kafka-sender.ts'

export type KafkaSasl = { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }

export type KafkaOptions = {
  brokers: string[]
  clientId: string
  /** Begins the names of all topics and groups, where a cluster is shared. */
  prefix?: string
  tls: boolean
  /** How to sign in at the brokers. Default: not at all. */
  sasl?: KafkaSasl | undefined
  log: Log
}

/** Copies of each partition, as far as there are brokers; and how many of them must have a record before it counts. */
const replication = 3
const replicasInSync = 2
/** Bytes of a batch of records. A dead letter is larger than its record by the reason. */
const largestBatch = { topics: 1_048_588, deadLetters: 2_097_152 }

/** The event log on Kafka, by kafkajs. */
export function createKafkaBus({ brokers, clientId, prefix = '', tls, sasl, log }: KafkaOptions): Bus {
  const kafka = new Kafka({
    brokers,
    clientId,
    ssl: tls,
    ...(sasl && { sasl: sasl as SASLOptions }),
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ log: { message, error } }) =>
        // What cannot be retried reaches us as a rejection and is logged there.
        log.debug('kafka', { detail: message, error }),
  })
  const admin = kafka.admin()
  const sender = createKafkaSender(kafka)
  const subscriptions = new Set<Subscription>()
  const connect = once(() => admin.connect())
  const known = new Map<string, () => Promise<unknown>>()

  async function ensureTopics(topics: readonly string[]): Promise<void> {
    await connect()
    const ensured = topics.map((topic) => {
      const ensure = known.get(topic) ?? once(() => createTopic(topic))
      known.set(topic, ensure)
      return ensure()
    })
    await Promise.all(ensured)
  }

  async function createTopic(name: string): Promise<void> {
    const topic = prefix + name
    const existing = await admin.listTopics()
    if (existing.includes(topic)) return
    const { brokers } = await admin.describeCluster()
    const replicationFactor = Math.min(replication, brokers.length)
    const kind = isDeadLetterTopic(name) ? 'deadLetters' : 'topics'
    const configEntries = [
      { name: 'retention.ms', value: String(keptDays[kind] * 86_400_000) },
      { name: 'max.message.bytes', value: String(largestBatch[kind]) },
      { name: 'min.insync.replicas', value: String(Math.min(replicasInSync, replicationFactor)) },
    ]
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitionCount, replicationFactor, configEntries }],
    })
  }

  async function append(records: readonly (LogRecord & { topic: string })[]): Promise<void> {
    const byTopic = Map.groupBy(records, ({ topic }) => topic)
    await ensureTopics([...byTopic.keys()])
    await sender.send([...byTopic].map(([topic, messages]) => ({ topic: prefix + topic, messages })))
  }

  return {
    async publish(events: readonly BusEvent[]) {
      if (events.length > 0) await append(events.map((event) => ({ topic: event.topic, ...toRecord(event) })))
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log })
      const subscription = joinKafkaGroup({ kafka, prefix, ensureTopics, deliver, log, ...options })
      subscriptions.add(subscription)
      return subscription
    },
    async check() {
      await connect()
      await admin.describeCluster()
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()))
      await Promise.allSettled([sender.close(), admin.disconnect()])
    },
  }
}

/** Runs the work once and remembers its success; a failure is forgotten, so that the next call tries again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= work().catch((error) => {
      result = undefined
      throw error
    })
    return result
  }
}
