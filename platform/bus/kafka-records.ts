import { randomUUID } from 'node:crypto'
import type { Consumer } from 'kafkajs'
import { createKafkaClient, type KafkaOptions } from './kafka-client.ts'
import { toLogRecord } from './kafka-member.ts'
import { createKafkaSender } from './kafka-sender.ts'
import { whileNew } from './kafka-topics.ts'
import type { RecordLog, StoredRecord } from './records.ts'

/** The records of Kafka's topics. Each reading is done by a group of its own, which goes with it. */
export async function openKafkaRecords(options: KafkaOptions): Promise<RecordLog> {
  const { prefix = '' } = options
  const kafka = createKafkaClient(options)
  const admin = kafka.admin()
  await admin.connect()
  const sender = createKafkaSender(kafka)

  /** The offset behind the last record of each partition that has one. */
  async function endsOf(topic: string): Promise<Map<number, bigint>> {
    const offsets = await whileNew(() => admin.fetchTopicOffsets(topic))
    const filled = offsets.filter(({ low, high }) => low !== high)
    return new Map(filled.map(({ partition, high }) => [partition, BigInt(high)]))
  }

  return {
    async topics() {
      const names = await admin.listTopics()
      return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
    },
    async read(name, see) {
      const topic = prefix + name
      if (!(await admin.listTopics()).includes(topic)) return
      const ends = await endsOf(topic)
      if (ends.size === 0) return
      const groupId = `${prefix}replay-${randomUUID()}`
      const consumer = kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 200 })
      try {
        await consumer.connect()
        await consumer.subscribe({ topic, fromBeginning: true })
        await readUntil(consumer, ends, (record) => see({ ...record, topic: name }))
      } finally {
        await consumer.disconnect()
        await admin.deleteGroups([groupId]).catch(() => {})
      }
    },
    append: (topic, record) => sender.send([{ topic: prefix + topic, messages: [record] }]),
    async close() {
      await Promise.all([sender.close(), admin.disconnect()])
    },
  }
}

/** Resolves when every partition was read to its end. What comes later is not shown. */
async function readUntil(consumer: Consumer, ends: Map<number, bigint>, see: (record: StoredRecord) => void) {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    if (!restart) reject(error)
  })
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch: { topic, partition, messages }, resolveOffset }) {
      const end = ends.get(partition)
      for (const message of messages) {
        const offset = BigInt(message.offset)
        if (end === undefined || offset >= end) break
        see({ ...toLogRecord(message), topic, partition, offset: message.offset })
        resolveOffset(message.offset)
        if (offset === end - 1n) ends.delete(partition)
      }
      if (ends.size === 0) resolve()
    },
  })
  await done
}
