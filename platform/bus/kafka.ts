import {
  type Consumer,
  type EachBatchPayload,
  Kafka,
  type KafkaMessage,
  logLevel,
  Partitioners,
  type SASLOptions,
} from 'kafkajs'
import type { Log } from '../log.ts'
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

/** Copies of each partition; one where there is one broker. */
const replication = 3
/** Milliseconds after which a member that says nothing loses its partitions to the others. */
const sessionTimeout = 10_000
const heartbeatInterval = 2_000
/** Milliseconds between attempts to reach the brokers. */
const retryInterval = 2_000

/** The event log on Kafka, by kafkajs. Written by an idempotent producer with acknowledgement by all replicas. */
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
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  const subscriptions = new Set<Subscription>()
  const connect = once(() => Promise.all([admin.connect(), producer.connect()]))
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
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitionCount, replicationFactor }],
    })
  }

  async function append(records: readonly (LogRecord & { topic: string })[]): Promise<void> {
    const byTopic = Map.groupBy(records, ({ topic }) => topic)
    await ensureTopics([...byTopic.keys()])
    const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic: prefix + topic, messages }))
    await producer.sendBatch({ acks: -1, topicMessages })
  }

  return {
    async publish(events: readonly BusEvent[]) {
      if (events.length > 0) await append(events.map((event) => ({ topic: event.topic, ...toRecord(event) })))
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log })
      const subscription = join({ kafka, prefix, ensureTopics, deliver, log, ...options })
      subscriptions.add(subscription)
      return subscription
    },
    async check() {
      await connect()
      await admin.describeCluster()
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()))
      await Promise.allSettled([producer.disconnect(), admin.disconnect()])
    },
  }
}

type JoinOptions = SubscribeOptions & {
  kafka: Kafka
  prefix: string
  ensureTopics: (topics: readonly string[]) => Promise<void>
  deliver: ReturnType<typeof createDelivery>
  log: Log
}

function join({ kafka, prefix, ensureTopics, deliver, log, group, handlers }: JoinOptions): Subscription {
  const topics = [...new Set(handlers.map(({ topic }) => topic))]
  const { promise: joined, resolve: resolveJoined } = Promise.withResolvers<void>()
  const pauses = new Set<NodeJS.Timeout>()
  let consumer: Consumer | undefined
  let stopping = false

  async function start(): Promise<void> {
    await ensureTopics(topics)
    if (stopping) return
    consumer = kafka.consumer({
      groupId: prefix + group,
      sessionTimeout,
      heartbeatInterval,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 1_000,
      retry: { restartOnFailure: async () => !stopping },
    })
    consumer.on(consumer.events.GROUP_JOIN, () => resolveJoined())
    consumer.on(consumer.events.CRASH, ({ payload }) =>
      log.warn('event consumer restarts', { group, error: payload.error }),
    )
    await consumer.connect()
    await consumer.subscribe({ topics: topics.map((topic) => prefix + topic), fromBeginning: true })
    await consumer.run({ eachBatch, eachBatchAutoResolve: false, partitionsConsumedConcurrently: 4 })
  }

  async function eachBatch({
    batch,
    resolveOffset,
    heartbeat,
    pause,
    isRunning,
    isStale,
  }: EachBatchPayload): Promise<void> {
    for (const message of batch.messages) {
      if (!isRunning() || isStale()) return
      const position = { topic: batch.topic.slice(prefix.length), partition: batch.partition, offset: message.offset }
      const wait = await deliver(toLogRecord(message), position)
      if (wait > 0) {
        // The offsets resolved so far are committed; the partition goes on with this record after the pause.
        const resume = pause()
        const timer = setTimeout(() => {
          pauses.delete(timer)
          resume()
        }, wait)
        pauses.add(timer)
        return
      }
      resolveOffset(message.offset)
      await heartbeat()
    }
  }

  void (async () => {
    while (!stopping) {
      try {
        return await start()
      } catch (error) {
        log.warn('event log unreachable', { group, error })
        await consumer?.disconnect().catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, retryInterval).unref())
      }
    }
  })()

  return {
    joined,
    async stop() {
      stopping = true
      for (const timer of pauses) clearTimeout(timer)
      await consumer?.disconnect()
    },
  }
}

function toLogRecord({ key, headers = {}, value }: KafkaMessage): LogRecord {
  const text = Object.entries(headers).map(([name, header]) => [name, String(header)])
  return { key: key?.toString() ?? '', headers: Object.fromEntries(text), value: value ?? Buffer.alloc(0) }
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
