import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { waitFor } from '../../test/infra/wait.ts'
import { kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import { on } from '../bus/handlers.ts'
import { createKafkaBus } from '../bus/kafka.ts'
import { silentLog as log } from '../log.ts'

describe('Kafka that is away', { skip: kafkaMissing() }, () => {
  test('at the start and later: the check tells, nothing that was acknowledged is lost, and all goes on by itself', async () => {
    const kafka = await startKafka()
    const [topic, group] = [randomUUID(), randomUUID()]
    const seen = new Set<number>()
    await kafka.kill()
    const bus = createKafkaBus({ brokers: [kafka.brokers], clientId: 'test', tls: false, log })
    const handler = on(
      { type: 'x', topic, data: z.object({ n: z.number() }) },
      async ({ data }) => void seen.add(data.n),
    )
    const subscription = bus.subscribe({ group, handlers: [handler] })
    const publish = (n: number) =>
      bus.publish([
        { id: randomUUID(), type: 'x', topic, key: 'k', source: 's', time: new Date(), sequence: n, data: { n } },
      ])
    await Promise.all([publish(0), bus.check(), subscription.lag()].map((attempt) => assert.rejects(attempt)))
    for (const n of [1, 2]) {
      await kafka.restart()
      await waitFor('an acknowledgement', () => succeeds(publish(n)), 60_000)
      await waitFor('the event', () => seen.has(n), 60_000)
      await waitFor('the check', () => succeeds(bus.check()))
      await kafka.kill(n === 1 ? 'SIGKILL' : 'SIGTERM')
      await assert.rejects(bus.check())
    }
    await bus.close()
    kafka.stop()
  })
})

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  )
}
