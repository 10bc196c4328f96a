import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import type { BusEvent } from '#platform/bus/bus.ts'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { silentLog as log } from '#platform/log.ts'
import { busContract } from '../../test/contract/bus.ts'
import { createTestDatabase, kafkaBrokers } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'

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

test('a first use of the PostgreSQL log that fails does not keep the next from succeeding', async () => {
  const own = await createTestDatabase()
  const bus = createPostgresBus({ url: own, log })
  const other = new pg.Client({ connectionString: own })
  await other.connect()
  // Another process that makes the tables.
  await other.query('SELECT pg_advisory_lock(4917310)')
  const refused = assert.rejects(bus.publish([happening()]))
  const cancelled = () =>
    other.query(`
      SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = current_database()`)
  await waitFor('the first to wait', async () => (await cancelled()).rowCount === 1)
  await refused
  await other.query('SELECT pg_advisory_unlock(4917310)')
  await bus.publish([happening()])
  await bus.close()
  await other.end()
})

function happening(): BusEvent {
  const id = crypto.randomUUID()
  return { id, type: 'x', topic: 't', key: 'k', source: 's', time: new Date(), sequence: 1, data: {} }
}

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
