import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import kafkajs, { Kafka, logLevel } from 'kafkajs'
import { createTestDatabase, kafkaBrokers } from '../../test/infra/parts.ts'
import { root } from '../services.ts'

const brokers = kafkaBrokers() ?? ''

async function topics(env: Record<string, string>, ...options: string[]) {
  const child = spawn(process.execPath, ['tools/topics.ts', ...options], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, errors, lines: output.split('\n') }
}

/** Of each line that begins with the name of a topic, its last word. */
function outcomes(lines: readonly string[]): Record<string, string> {
  const rows = lines.filter((line) => /^\S/.test(line)).slice(1)
  return Object.fromEntries(
    rows.map((row) => [
      row.split(' ')[0],
      row
        .trimEnd()
        .split(/\s{2,}/)
        .at(-1) ?? '',
    ]),
  )
}

test('npm run topics says of the embedded event log that there is nothing to create', async () => {
  const { code, lines } = await topics({ KAFKA_BROKERS: '', EVENTS_DATABASE_URL: await createTestDatabase() })
  assert.equal(code, 0)
  assert.match(lines[0] ?? '', /nothing to create/)
  assert.ok(lines.some((line) => /^orders\.notifications\.dlq +kept 30 days$/.test(line)))
})

describe('npm run topics on Kafka', { skip: !brokers && 'there is no Kafka' }, () => {
  const env = { KAFKA_BROKERS: brokers, KAFKA_PREFIX: `${randomUUID()}.` }
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING })

  test('creates every topic and every topic of dead letters once', async () => {
    const first = await topics(env)
    assert.equal(first.code, 0, first.errors)
    const created = outcomes(first.lines)
    for (const name of ['users', 'products', 'orders', 'payments', 'orders.products.dlq', 'users.notifications.dlq']) {
      assert.equal(created[name], 'created', name)
    }
    const second = outcomes((await topics(env)).lines)
    assert.deepEqual(Object.keys(second), Object.keys(created))
    assert.deepEqual(new Set(Object.values(second)), new Set(['was there']))
  })

  test('tells what is not as planned, changes the configuration when told to, and never partitions', async (context) => {
    const own = { KAFKA_BROKERS: brokers, KAFKA_PREFIX: `${randomUUID()}.` }
    const topic = `${own.KAFKA_PREFIX}orders`
    const admin = kafka.admin()
    await admin.connect()
    context.after(() => admin.disconnect())
    const configEntries = [
      { name: 'retention.ms', value: '60000' },
      { name: 'segment.ms', value: '777000' },
    ]
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 3, configEntries }] })
    const told = await topics(own)
    assert.equal(told.code, 1)
    assert.ok(told.lines.some((line) => /retention\.ms is 60000, planned 604800000/.test(line)))
    assert.ok(told.lines.some((line) => /partitions is 3, planned 12/.test(line)))
    const applied = await topics(own, '--apply')
    assert.equal(applied.code, 1, 'the partitions are still not as planned')
    assert.equal(outcomes(applied.lines).orders, 'changed')
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms', 'segment.ms'] },
      ],
    })
    const values = resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? []
    assert.deepEqual(Object.fromEntries(values), { 'retention.ms': '604800000', 'segment.ms': '777000' })
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(found[0]?.partitions.length, 3)
  })
})
