import { type Bus, type BusEvent, deadLetterTopic, type Subscription } from './bus.ts'
import { type LogRecord, toRecord } from './cloudevents.ts'
import { createDelivery, type Position } from './delivery.ts'
import { createKafkaClient, type KafkaOptions } from './kafka-client.ts'
import { joinKafkaGroup } from './kafka-member.ts'
import { createKafkaSender } from './kafka-sender.ts'
import { createTopic, planTopic, readLag } from './kafka-topics.ts'
import type { BusMeters } from './meters.ts'

/** The event log on Kafka, by kafkajs. */
export function createKafkaBus({ meters, ...options }: KafkaOptions & { meters?: BusMeters }): Bus {
  const { prefix = '', log } = options
  const kafka = createKafkaClient(options)
  const admin = kafka.admin()
  const sender = createKafkaSender(kafka)
  const subscriptions = new Set<Subscription>()
  const connect = once(() => admin.connect())
  const known = new Map<string, () => Promise<unknown>>()

  async function ensureTopics(topics: readonly string[]): Promise<void> {
    await connect()
    const ensured = topics.map((topic) => {
      const ensure = known.get(topic) ?? once(() => create(topic))
      known.set(topic, ensure)
      return ensure()
    })
    await Promise.all(ensured)
  }

  async function create(name: string): Promise<void> {
    const topic = prefix + name
    const existing = await admin.listTopics()
    if (existing.includes(topic)) return
    const { brokers } = await admin.describeCluster()
    await createTopic(admin, topic, planTopic(name, brokers.length))
  }

  async function append(records: readonly (LogRecord & { topic: string })[]): Promise<void> {
    const byTopic = Map.groupBy(records, ({ topic }) => topic)
    await ensureTopics([...byTopic.keys()])
    await sender.send([...byTopic].map(([topic, messages]) => ({ topic: prefix + topic, messages })))
  }

  return {
    async publish(events: readonly BusEvent[]) {
      if (events.length === 0) return
      await append(events.map((event) => ({ topic: event.topic, ...toRecord(event) })))
      for (const event of events) meters?.published(event)
    },
    subscribe(options) {
      const deadLetter = (record: LogRecord, { topic }: Position) =>
        append([{ topic: deadLetterTopic(topic, options.group), ...record }])
      const deliver = createDelivery({ ...options, deadLetter, log, system: 'kafka', ...(meters && { meters }) })
      const member = joinKafkaGroup({ kafka, prefix, ensureTopics, deliver, log, ...options })
      const topics = [...new Set(options.handlers.map(({ topic }) => topic))]
      const subscription: Subscription = {
        ...member,
        async lag() {
          await ensureTopics(topics)
          return readLag(admin, prefix, options.group, topics)
        },
      }
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
