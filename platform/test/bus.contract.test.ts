import { before } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { silentLog as log } from '#platform/log.ts'
import { busContract } from '../../test/contract/bus.ts'
import { createTestDatabase, kafkaBrokers } from '../../test/infra/parts.ts'

let url = ''
before(async () => {
  url = await createTestDatabase()
})

busContract({
  name: 'PostgreSQL',
  open: () => createPostgresBus({ url, log }),
  memberEnv: () => ({ postgres: url }),
  async readHeaders(topic) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query('SELECT headers FROM bus_records WHERE topic = $1', [topic])
    await client.end()
    return rows.map(({ headers }) => headers)
  },
})

const brokers = kafkaBrokers()?.split(',') ?? []

busContract({
  name: 'Kafka',
  skip: brokers.length === 0 && 'there is no Kafka',
  open: () => createKafkaBus({ brokers, clientId: 'contract', tls: false, log }),
  memberEnv: () => ({ brokers: brokers.join(',') }),
  async readHeaders(topic) {
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const exists = (await admin.listTopics()).includes(topic)
    const offsets = exists ? await admin.fetchTopicOffsets(topic) : []
    await admin.disconnect()
    const expected = offsets.reduce((sum, { high }) => sum + Number(high), 0)
    if (expected === 0) return []
    const consumer = kafka.consumer({ groupId: `reader-${Math.random()}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const found: Record<string, string>[] = []
    await new Promise<void>((resolve) => {
      void consumer.run({
        async eachMessage({ message }) {
          found.push(
            Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)])),
          )
          if (found.length === expected) resolve()
        },
      })
    })
    await consumer.disconnect()
    return found
  },
})
