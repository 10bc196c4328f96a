import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import kafkajs, { type ISocketFactory, Kafka, logLevel } from 'kafkajs'
import { z } from 'zod'
import { kafkaBrokers } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { on } from '../bus/handlers.ts'
import { createKafkaBus } from '../bus/kafka.ts'
import { joinKafkaGroup } from '../bus/kafka-member.ts'
import { createKafkaSender } from '../bus/kafka-sender.ts'
import { silentLog as log } from '../log.ts'

const brokers = kafkaBrokers()?.split(',') ?? []
/** `apiKey` of a Produce request. https://kafka.apache.org/protocol#protocol_api_keys */
const produce = 0

/** What Kafka asks of us beyond the contract of every event log. */
describe('Kafka', { skip: brokers.length === 0 && 'there is no Kafka' }, () => {
  test('a record that follows a send of unknown outcome is not taken for its repeat', async () => {
    let cut = false
    const network: ISocketFactory = ({ host, port, onConnect }) =>
      cutAfterProduce(connect(port, host, onConnect), () => cut)
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 1 }, socketFactory: network })
    const topic = await newTopic(kafka)
    const sender = createKafkaSender(kafka)
    const send = (value: string) => sender.send([{ topic, messages: [{ key: 'k', value }] }])
    await send('first')
    cut = true
    await assert.rejects(send('stored, and the answer lost'))
    cut = false
    await send('next')
    await sender.close()
    assert.deepEqual(await read(kafka, topic), ['first', 'stored, and the answer lost', 'next'])
  })

  test('much is compressed on its way, little is not, and both arrive as they were', async () => {
    let sent = 0
    const network: ISocketFactory = ({ host, port, onConnect }) =>
      countWritten(connect(port, host, onConnect), (bytes) => {
        sent += bytes
      })
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, socketFactory: network })
    const topic = await newTopic(kafka)
    const sender = createKafkaSender(kafka)
    const values = Array.from({ length: 200 }, (_, n) => JSON.stringify({ n, text: 'the same again, '.repeat(40) }))
    const bytesOf = async (part: string[]) => {
      const before = sent
      await sender.send([{ topic, messages: part.map((value) => ({ key: 'k', value })) }])
      return (sent - before) / part.join('').length
    }
    assert.ok((await bytesOf(values.slice(0, 10))) > 1)
    assert.ok((await bytesOf(values.slice(10))) < 0.25)
    await sender.close()
    assert.deepEqual(await read(kafka, topic), values)
  })

  test('a member joins again after a failure that kafkajs takes for final', async () => {
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    const topic = await newTopic(kafka)
    let calls = 0
    const member = join(kafka, topic, async () => {
      calls += 1
      if (calls === 1) throw new kafkajs.KafkaJSNonRetriableError('Not authorized')
    })
    const sender = createKafkaSender(kafka)
    await sender.send([{ topic, messages: [{ value: '{}' }] }])
    await waitFor('the record to come again', () => calls === 2)
    await Promise.all([member.stop(), sender.close()])
  })

  test('a handler that takes longer than a session lasts keeps its partitions', async () => {
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    const topic = await newTopic(kafka)
    const seen: string[] = []
    const member = join(kafka, topic, async (value) => {
      seen.push(value)
      if (seen.length === 1) await new Promise((resolve) => setTimeout(resolve, 11_000))
    })
    const sender = createKafkaSender(kafka)
    await sender.send([{ topic, messages: ['1', '2', '3'].map((value) => ({ key: 'k', value })) }])
    await waitFor('all records', () => seen.length >= 3, 30_000)
    assert.deepEqual(seen, ['1', '2', '3'])
    await Promise.all([member.stop(), sender.close()])
  })

  test('topics keep records 7 days, dead letters 30, and both have 12 partitions', async () => {
    const [topic, group] = [randomUUID(), randomUUID()]
    const bus = createKafkaBus({ brokers, clientId: 'test', tls: false, log })
    const at = { source: 's', time: new Date(), sequence: 1, key: 'k', data: 'no object' }
    let failed = false
    const handler = on({ type: 'x', topic, data: z.object({}) }, async () => {
      failed = true
    })
    bus.subscribe({ group, handlers: [handler] })
    await bus.publish([{ id: randomUUID(), type: 'x', topic, ...at }])
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const deadLetters = `${topic}.${group}.dlq`
    await waitFor('the dead letters', async () => (await admin.listTopics()).includes(deadLetters))
    for (const [name, days] of [
      [topic, 7],
      [deadLetters, 30],
    ] as const) {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name, configNames: ['retention.ms'] }],
      })
      assert.equal(resources[0]?.configEntries[0]?.configValue, String(days * 86_400_000))
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic, deadLetters] })
    assert.deepEqual(
      topics.map(({ partitions }) => partitions.length),
      [12, 12],
    )
    assert.equal(failed, false)
    await admin.disconnect()
    await bus.close()
  })
})

/** Tells of the bytes that are sent. */
function countWritten(socket: Socket, tell: (bytes: number) => void): Socket {
  const write = socket.write.bind(socket)
  socket.write = ((data: Buffer, ...rest: []) => {
    tell(data.length)
    return write(data, ...rest)
  }) as typeof socket.write
  return socket
}

/** Loses the answers to what is produced, while asked to. */
function cutAfterProduce(socket: Socket, cut: () => boolean): Socket {
  let producing = false
  const [write, emit] = [socket.write.bind(socket), socket.emit.bind(socket)]
  socket.write = ((data: Buffer, ...rest: []) => {
    producing = Buffer.isBuffer(data) && data.length > 6 && data.readInt16BE(4) === produce
    return write(data, ...rest)
  }) as typeof socket.write
  socket.emit = ((event: string, ...args: unknown[]) => {
    if (event !== 'data' || !producing || !cut()) return emit(event, ...args)
    socket.destroy(new Error('The answer is lost.'))
    return true
  }) as typeof socket.emit
  return socket
}

function join(kafka: Kafka, topic: string, handle: (value: string) => Promise<void>) {
  return joinKafkaGroup({
    kafka,
    prefix: '',
    group: randomUUID(),
    handlers: [on({ type: 'x', topic, data: z.unknown() }, async () => {})],
    ensureTopics: async () => {},
    log,
    async deliver({ value }) {
      await handle(String(value))
      return 0
    },
  })
}

async function newTopic(kafka: Kafka): Promise<string> {
  const topic = randomUUID()
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
  await admin.disconnect()
  return topic
}

/** The values of a topic of one partition. */
async function read(kafka: Kafka, topic: string): Promise<string[]> {
  const admin = kafka.admin()
  await admin.connect()
  const [offsets] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const consumer = kafka.consumer({ groupId: randomUUID() })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values: string[] = []
  await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) })
  await waitFor('all records', () => values.length >= Number(offsets?.high))
  await consumer.disconnect()
  return values
}
