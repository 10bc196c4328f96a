import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { createTestDatabase, kafkaBrokers } from '../../test/infra/parts.ts'
import { startTcpProxy } from '../../test/infra/tcp-proxy.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import type { Bus } from '../bus/bus.ts'
import { followEvents } from '../bus/follow.ts'
import { on } from '../bus/handlers.ts'
import { createBusMeters } from '../bus/meters.ts'
import { type BusConfig, busSettings, openBus } from '../bus/open.ts'
import { readEnv } from '../env.ts'
import { silentLog as log } from '../log.ts'
import { createMetrics } from '../metrics.ts'

/** What every way to follow the event log promises (platform/bus/follow.ts). */

const limit = 60_000
const settings = (given: Record<string, string>): BusConfig => readEnv(busSettings, [], given)
const meters = createBusMeters(createMetrics({ service: 'test' }))
const open = (config: BusConfig) => openBus({ config, clientId: 'test', log, meters })

/** Follows a topic, and tells what it hears and when it may have missed something. */
async function follow(config: BusConfig, topic: string) {
  const heard: (number | 'gap')[] = []
  const follower = await followEvents(config, 'test', {
    handlers: [
      on({ type: 'x', topic, data: z.object({ n: z.number() }) }, async ({ data }) => void heard.push(data.n)),
    ],
    onGap: () => void heard.push('gap'),
    log,
  })
  const hears = () => follower.silence() < 1_000
  await waitFor('the follower to hear', hears, limit)
  return { ...follower, heard, hears }
}

const publish = (bus: Bus, topic: string, n: unknown) =>
  bus.publish([
    { id: randomUUID(), type: 'x', topic, key: 'k', source: 's', time: new Date(), sequence: 1, data: { n } },
  ])

for (const name of ['PostgreSQL', 'Kafka'] as const) {
  const skip = name === 'Kafka' && !kafkaBrokers() && 'there is no Kafka'
  describe(`following ${name}`, { skip }, () => {
    async function start() {
      const config = settings(
        name === 'Kafka'
          ? { KAFKA_BROKERS: kafkaBrokers() ?? '' }
          : { EVENTS_DATABASE_URL: await createTestDatabase() },
      )
      const topic = randomUUID()
      const bus = await open(config)
      await publish(bus, topic, 0)
      return { config, topic, bus }
    }

    test('each follower hears every event from then on, within a second, and none from before', async () => {
      const { config, topic, bus } = await start()
      const followers = await Promise.all([follow(config, topic), follow(config, topic)])
      const times: number[] = []
      for (const n of [1, 2, 3]) {
        await publish(bus, topic, n)
        const published = performance.now()
        await waitFor('both to hear', () => followers.every(({ heard }) => heard.includes(n)))
        times.push(performance.now() - published)
      }
      // The least: the machine may have stood still in another.
      assert.ok(Math.min(...times) < 1_000, `${times} ms`)
      for (const { heard } of followers) assert.deepEqual(heard.filter(Number.isInteger), [1, 2, 3])
      await Promise.all(followers.map(({ stop }) => stop()))
      await bus.close()
    })

    test('an event that does not parse may be of anything', async () => {
      const { config, topic, bus } = await start()
      const { heard, stop } = await follow(config, topic)
      const gaps = heard.length
      await publish(bus, topic, 'no number')
      await publish(bus, topic, 1)
      await waitFor('the next event', () => heard.includes(1))
      assert.deepEqual(heard.slice(gaps), ['gap', 1])
      await stop()
      await bus.close()
    })
  })
}

test('a PostgreSQL that hangs is silence, and what was told meanwhile is heard before it ends; after a cut there is a gap', async () => {
  const direct = await createTestDatabase()
  const { hostname, port } = new URL(direct)
  const proxy = await startTcpProxy(Number(port), hostname)
  const through = new URL(direct)
  through.port = String(proxy.port)
  through.hostname = '127.0.0.1'
  const [topic, bus] = [randomUUID(), await open(settings({ EVENTS_DATABASE_URL: direct }))]
  await publish(bus, topic, 0)
  const { heard, hears, stop } = await follow(settings({ EVENTS_DATABASE_URL: through.href }), topic)

  proxy.silence()
  await waitFor('silence', () => !hears())
  await publish(bus, topic, 1)
  heard.length = 0
  await proxy.restore()
  await waitFor('it to hear again', hears, limit)
  assert.equal(heard[0], 1)

  await proxy.cut()
  await waitFor('silence', () => !hears())
  await publish(bus, topic, 2)
  heard.length = 0
  await proxy.restore()
  await waitFor('it to hear again', hears, limit)
  assert.equal(heard[0], 'gap')
  await publish(bus, topic, 3)
  await waitFor('what comes next', () => heard.includes(3))
  await stop()
  await bus.close()
  await proxy.stop()
})

test('a Kafka that was away is silence, and then a gap', { skip: kafkaMissing() }, async () => {
  const kafka = await startKafka()
  const config = settings({ KAFKA_BROKERS: kafka.brokers })
  const [topic, bus] = [randomUUID(), await open(config)]
  await publish(bus, topic, 0)
  const { heard, hears, stop } = await follow(config, topic)
  await kafka.kill()
  await waitFor('silence', () => !hears(), limit)
  heard.length = 0
  await kafka.restart()
  await waitFor('it to hear again', hears, limit)
  assert.equal(heard[0], 'gap')
  await publish(bus, topic, 1)
  await waitFor('what comes next', () => heard.includes(1), limit)
  await stop()
  await bus.close()
  kafka.stop()
})
