import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { type Bus, type BusEvent, deadLetterTopic } from '#platform/bus/bus.ts'
import { on, PoisonError } from '#platform/bus/handlers.ts'
import { waitFor } from '../infra/wait.ts'

export type BusUnderTest = {
  name: string
  /** Why it cannot be tested here. */
  skip?: string | false
  open: () => Bus
  /** The headers of all records of a topic. */
  readHeaders: (topic: string) => Promise<Record<string, string>[]>
  /** What test/contract/bus-member.ts needs to open the same log. */
  memberEnv: () => Record<string, string>
}

/** What every event log promises (platform/bus/bus.ts), as tests. */
export function busContract({ name, skip = false, open, readHeaders, memberEnv }: BusUnderTest): void {
  describe(`the event log on ${name}`, { skip }, () => {
    let bus: Bus
    before(() => {
      bus = open()
    })
    after(() => bus.close())

    test('events with one key arrive in the order they were published', async () => {
      const { topic, group } = names()
      const seen: BusEvent[] = []
      const subscription = bus.subscribe({
        group,
        handlers: [on(happened(topic), async (event) => void seen.push(event))],
      })
      const keys = Array.from({ length: 20 }, () => randomUUID())
      for (let n = 0; n < 10; n++) await bus.publish(keys.map((key) => event(topic, key, n)))
      await waitFor('200 events', () => seen.length >= 200)
      for (const key of keys) {
        assert.deepEqual(numbersOf(seen, key), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      }
      await subscription.stop()
    })

    test('an event arrives as it was published', async () => {
      const { topic, group } = names()
      const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'foo=1,bar=2' }
      const sent = { ...event(topic, 'k', 7), ...trace }
      const seen: BusEvent[] = []
      const subscription = bus.subscribe({
        group,
        handlers: [on(happened(topic), async (event) => void seen.push(event))],
      })
      await bus.publish([sent])
      await waitFor('the event', () => seen.length > 0)
      assert.deepEqual(seen, [sent])
      const [headers] = await readHeaders(topic)
      assert.deepEqual({ traceparent: headers?.traceparent, tracestate: headers?.tracestate }, trace)
      await subscription.stop()
    })

    test('two groups each see all events', async () => {
      const { topic } = names()
      const seen = [new Set<number>(), new Set<number>()]
      const subscriptions = seen.map((numbers) =>
        bus.subscribe({
          group: randomUUID(),
          handlers: [on(happened(topic), async ({ data }) => void numbers.add(data.n))],
        }),
      )
      await bus.publish(range(100).map((n) => event(topic, `key ${n}`, n)))
      await waitFor('all events twice', () => seen.every(({ size }) => size === 100))
      await Promise.all(subscriptions.map((subscription) => subscription.stop()))
    })

    /** Two members of a group that has events for both, each of which has had some. */
    async function twoMembers() {
      const { topic, group } = names()
      const shares = [new Set<number>(), new Set<number>()]
      const subscriptions = shares.map((share) =>
        bus.subscribe({ group, handlers: [on(happened(topic), async ({ data }) => void share.add(data.n))] }),
      )
      await Promise.all(subscriptions.map(({ joined }) => joined))
      let published = 0
      const publish = async () => {
        await bus.publish(range(24).map((n) => event(topic, `key ${n}`, published + n)))
        published += 24
      }
      await waitFor('both to have a share', async () => {
        await publish()
        return shares.every(({ size }) => size > 0)
      })
      const arrived = () => new Set([...(shares[0] ?? []), ...(shares[1] ?? [])]).size
      return { subscriptions, publish, allArrived: () => waitFor('every event', () => arrived() === published) }
    }

    test('two members share the events of one group', async () => {
      const { subscriptions, allArrived } = await twoMembers()
      await allArrived()
      await Promise.all(subscriptions.map((subscription) => subscription.stop()))
    })

    test('a member that stops leaves its share to the others at once, and not when its session would have ended', async () => {
      const { subscriptions, publish, allArrived } = await twoMembers()
      const [leaving, staying] = subscriptions
      await leaving?.stop()
      const start = performance.now()
      await publish()
      await allArrived()
      const seconds = (performance.now() - start) / 1_000
      assert.ok(seconds < 9, `after ${seconds} s, where a session lasts 10 s`)
      await staying?.stop()
    })

    test('a group goes on where it stopped', async () => {
      const { topic, group } = names()
      const seen: number[] = []
      const join = () =>
        bus.subscribe({ group, handlers: [on(happened(topic), async ({ data }) => void seen.push(data.n))] })
      const first = join()
      await bus.publish(range(50).map((n) => event(topic, `key ${n % 5}`, n)))
      await waitFor('the first half', () => seen.length === 50)
      await first.stop()
      await bus.publish(range(50).map((n) => event(topic, `key ${n % 5}`, 50 + n)))
      const second = join()
      await waitFor('the second half', () => new Set(seen).size === 100)
      assert.equal(seen.length, 100, 'nothing is repeated after an orderly stop')
      await second.stop()
    })

    test('a transient failure pauses the events behind it and repeats in order', async () => {
      const { topic, group } = names()
      const seen: number[] = []
      let failures = 0
      const handler = on(happened(topic), async ({ data }) => {
        if (data.n === 3 && failures < 3) {
          failures += 1
          throw Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
        }
        seen.push(data.n)
      })
      const subscription = bus.subscribe({ group, handlers: [handler] })
      await bus.publish(range(10).map((n) => event(topic, 'one key', n)))
      await waitFor('all events', () => seen.length === 10)
      assert.deepEqual(seen, range(10))
      assert.equal(failures, 3)
      await subscription.stop()
    })

    test('poison goes to the dead letters with the reason, and the rest flows', async () => {
      const { topic, group } = names()
      const seen: number[] = []
      const handler = on(happened(topic), async ({ data }) => {
        if (data.n === 5) throw new PoisonError('five means nothing')
        seen.push(data.n)
      })
      const subscription = bus.subscribe({ group, handlers: [handler] })
      const malformed = { ...event(topic, 'one key', 0), data: { n: 'not a number' } }
      const unknown = { ...event(topic, 'one key', 0), type: 'test.unheard_of' }
      const good = range(10).map((n) => event(topic, 'one key', n))
      await bus.publish([malformed, unknown, ...good])
      await waitFor('the rest', () => seen.length === 9)
      assert.deepEqual(seen, [0, 1, 2, 3, 4, 6, 7, 8, 9])
      const dead = await waitFor('the dead letters', async () => {
        const headers = await readHeaders(deadLetterTopic(topic, group))
        return headers.length >= 2 && headers
      })
      assert.deepEqual(
        dead.map((headers) => [headers.ce_id, headers['dlq-error']]).sort(),
        [
          [malformed.id, 'PoisonError: test.happened does not parse: n: invalid_type'],
          [good[5]?.id, 'PoisonError: five means nothing'],
        ].sort(),
      )
      for (const headers of dead) {
        assert.equal(headers['dlq-topic'], topic)
        assert.equal(headers['dlq-group'], group)
        assert.match(`${headers['dlq-partition']} ${headers['dlq-offset']} ${headers['dlq-attempts']}`, /^\d+ \d+ 1$/)
        assert.ok(Date.parse(headers['dlq-last-failed-at'] ?? '') >= Date.parse(headers['dlq-first-failed-at'] ?? ''))
      }
      await subscription.stop()
    })

    test('the lag of a group is what it has still to handle', async () => {
      const { topic, group } = names()
      const gate = Promise.withResolvers<void>()
      let handled = 0
      const handler = on(happened(topic), async () => {
        await gate.promise
        handled += 1
      })
      await bus.publish(range(30).map((n) => event(topic, `key ${n}`, n)))
      const subscription = bus.subscribe({ group, handlers: [handler] })
      assert.deepEqual(await subscription.lag(), [{ topic, records: 30 }])
      gate.resolve()
      await waitFor('no lag', async () => (await subscription.lag())[0]?.records === 0)
      assert.equal(handled, 30)
      await subscription.stop()
    })

    test('an event whose consumer was killed arrives again', async () => {
      const { topic, group } = names()
      const total = 200
      const first = startMember({ topic, group, ...memberEnv() })
      await bus.publish(range(total).map((n) => event(topic, `key ${n}`, n)))
      await waitFor('some events', () => first.handled.size >= 20)
      const killed = new Promise((resolve) => first.process.once('exit', resolve))
      first.process.kill('SIGKILL')
      await killed
      const second = startMember({ topic, group, ...memberEnv() })
      await waitFor('every event', () => new Set([...first.handled, ...second.handled]).size === total, 60_000)
      const done = new Promise((resolve) => second.process.once('exit', resolve))
      second.process.kill('SIGTERM')
      await done
    })

    test('of 10,000 events none is lost', async () => {
      const { topic, group } = names()
      const seen = new Map<string, number[]>()
      const handler = on(happened(topic), async ({ key, data }) => {
        seen.set(key, [...(seen.get(key) ?? []), data.n])
      })
      const subscription = bus.subscribe({ group, handlers: [handler] })
      for (let batch = 0; batch < 50; batch++) {
        await bus.publish(range(200).map((n) => event(topic, `key ${n % 40}`, batch * 200 + n)))
      }
      const count = () => [...seen.values()].reduce((sum, numbers) => sum + new Set(numbers).size, 0)
      await waitFor('10,000 events', () => count() === 10_000, 60_000)
      for (const numbers of seen.values())
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].sort((a, b) => a - b),
        )
      await subscription.stop()
    })
  })
}

/** The kind of event that these tests send. */
export function happened(topic: string) {
  return { type: 'test.happened', topic, data: z.object({ n: z.number() }) }
}

function event(topic: string, key: string, n: number): BusEvent {
  return {
    id: randomUUID(),
    type: 'test.happened',
    topic,
    key,
    source: 'test',
    time: new Date(),
    sequence: n,
    data: { n },
  }
}

function names() {
  return { topic: `topic-${randomUUID()}`, group: `group-${randomUUID()}` }
}

function numbersOf(events: readonly BusEvent[], key: string): number[] {
  return events.filter((event) => event.key === key).map(({ data }) => (data as { n: number }).n)
}

function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n)
}

/** A member of a group in a process of its own, so that it can be killed. */
function startMember(env: Record<string, string>): { process: ChildProcess; handled: Set<string> } {
  const handled = new Set<string>()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bus-member.ts')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => handled.add(line))
  return { process: child, handled }
}
