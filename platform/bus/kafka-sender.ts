import { CompressionTypes, type Kafka, Partitioners, type Producer, type TopicMessages } from 'kafkajs'

/**
 * Bytes of values from which a send is compressed. Ours shrink to a quarter then, for some 15 us of CPU a record; a few
 * records over as many partitions, each a batch of its own, shrink little and cost ten times that.
 */
const worthCompressing = 65_536

/**
 * Sends records by an idempotent producer, acknowledged by all replicas that are in sync. One send at a time.
 *
 * Guarantee: a producer whose send failed is never used again. kafkajs gives the sequence numbers of a failed send to the
 * next records, and a broker that stored the first ones after all would take the next for repeats and drop them.
 */
export function createKafkaSender(kafka: Kafka) {
  let producer: Producer | undefined
  let last: Promise<unknown> = Promise.resolve()

  async function connect(): Promise<Producer> {
    const fresh = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await fresh.connect()
    return fresh
  }

  async function disconnect(): Promise<void> {
    const left = producer
    producer = undefined
    await left?.disconnect().catch(() => {})
  }

  async function attempt(topicMessages: TopicMessages[]): Promise<void> {
    try {
      producer ??= await connect()
      const compression = sizeOf(topicMessages) < worthCompressing ? CompressionTypes.None : CompressionTypes.GZIP
      await producer.sendBatch({ acks: -1, compression, topicMessages })
    } catch (error) {
      await disconnect()
      throw error
    }
  }

  return {
    /** Resolves when every record is stored for good. Rejects otherwise; some may be stored all the same. */
    send(topicMessages: TopicMessages[]): Promise<void> {
      const sent = last.then(() => attempt(topicMessages))
      last = sent.catch(() => {})
      return sent
    },
    /** Waits for the send at hand. */
    async close(): Promise<void> {
      await last
      await disconnect()
    },
  }
}

function sizeOf(topicMessages: readonly TopicMessages[]): number {
  const values = topicMessages.flatMap(({ messages }) => messages.map(({ value }) => value?.length ?? 0))
  return values.reduce((sum, length) => sum + length, 0)
}
