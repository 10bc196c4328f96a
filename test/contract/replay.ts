import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Bus, BusEvent } from '#platform/bus/bus.ts'
import { deadLetterTopic } from '#platform/bus/bus.ts'
import { on, PoisonError } from '#platform/bus/handlers.ts'
import type { RecordLog } from '#platform/bus/records.ts'
import { createReplay, placeOf } from '#platform/bus/replay.ts'
import { waitFor } from '../infra/wait.ts'
import { happened } from './bus.ts'

export type RecordsUnderTest = {
  name: string
  skip?: string | false
  openBus: () => Bus
  openRecords: () => RecordLog | Promise<RecordLog>
}

/** What replay promises (platform/bus/replay.ts), on every event log. */
export function replayContract({ name, skip = false, openBus, openRecords }: RecordsUnderTest): void {
  describe(`replay on ${name}`, { skip }, () => {
    let bus: Bus
    let records: RecordLog
    let replay: ReturnType<typeof createReplay>
    before(async () => {
      bus = openBus()
      records = await openRecords()
      replay = createReplay({ records, now: () => new Date() })
    })
    after(() => Promise.all([bus.close(), records.close()]))

    /** Two groups that see the events of a topic, of which the first cannot handle some numbers yet. */
    function consume(unhandled: readonly number[]) {
      const [topic, group] = [randomUUID(), randomUUID()]
      const seen: BusEvent[] = []
      const others: BusEvent[] = []
      const faults = new Set(unhandled)
      const picky = on(happened(topic), async (event) => {
        if (faults.has(event.data.n)) throw new PoisonError(`what is ${event.data.n}?`)
        seen.push(event)
      })
      bus.subscribe({ group, handlers: [picky] })
      bus.subscribe({ group: randomUUID(), handlers: [on(happened(topic), async (event) => void others.push(event))] })
      const publish = (...numbers: number[]) => bus.publish(numbers.map((n) => eventOf(topic, n)))
      const numbers = (events: readonly BusEvent[]) => events.map(({ sequence }) => sequence)
      const letters = (count: number) =>
        waitFor(`${count} dead letters`, async () => {
          const found = await replay.find({ topic, group })
          return found.length === count && found
        })
      return { topic, group, seen, others, faults, publish, numbers, letters }
    }

    test('an event that is driven reaches its group alone, as it was, and once', async () => {
      const { topic, group, seen, others, faults, publish, numbers, letters } = consume([2, 4])
      await publish(1, 2, 3, 4, 5)
      const found = await letters(2)
      await waitFor('the other group', () => others.length === 5)
      faults.clear()
      for (const letter of found) await replay.drive(letter)
      await waitFor('the events', () => seen.length === 5)
      assert.deepEqual(numbers(seen), [1, 3, 5, 2, 4])
      const sent = new Map(others.map((event) => [event.sequence, event]))
      for (const event of seen) assert.deepEqual(event, sent.get(event.sequence))
      assert.deepEqual(await replay.find({ topic, group }), [])
      await publish(6)
      await waitFor('what comes later', () => seen.length === 6 && others.length === 6)
      assert.deepEqual(numbers(others), [1, 2, 3, 4, 5, 6], 'the other group saw nothing twice')
    })

    test('an event that fails again is a dead letter again', async () => {
      const { publish, letters } = consume([1])
      await publish(1)
      const [first] = await letters(1)
      if (first) await replay.drive(first)
      const [second] = await waitFor('another letter', async () => {
        const found = await letters(1)
        return found[0] && first && placeOf(found[0]) !== placeOf(first) && found
      })
      assert.equal(second?.headers.ce_id, first?.headers.ce_id)
      assert.notEqual(second?.headers['dlq-offset'], first?.headers['dlq-offset'])
    })

    test('what is dropped waits no longer, and the rest does', async () => {
      const { topic, group, publish, letters } = consume([1, 2, 3])
      await publish(1, 2, 3)
      const found = await letters(3)
      const id = found[1]?.headers.ce_id
      const [letter] = await replay.find({ topic, group, id })
      assert.equal(letter?.headers['dlq-error'], 'PoisonError: what is 2?')
      if (letter) await replay.drop(letter)
      assert.deepEqual(
        (await replay.find({ topic, group })).map(({ headers }) => headers.ce_id),
        [found[0]?.headers.ce_id, found[2]?.headers.ce_id],
      )
      const row = (await replay.list()).find((row) => row.topic === deadLetterTopic(topic, group))
      assert.deepEqual([row?.kept, row?.waiting], [3, 2])
      assert.equal(row?.oldest, found[0]?.headers['dlq-last-failed-at'])
    })

    test('records that are no events are letters too, and are found by their place', async () => {
      const { topic, group, letters } = consume([])
      await bus.publish([{ ...eventOf(topic, 1), id: 'no UUID' }])
      const [letter] = await letters(1)
      assert.match(letter?.headers['dlq-error'] ?? '', /ce_id/)
      const [same] = await replay.find({ topic, group, id: letter && placeOf(letter) })
      assert.deepEqual(same, letter)
    })

    test('a group that never failed has no letters', async () => {
      assert.deepEqual(await replay.find({ topic: randomUUID(), group: 'nobody' }), [])
    })
  })
}

function eventOf(topic: string, n: number): BusEvent {
  const at = { source: 'test', time: new Date(), key: 'one key' }
  return { id: randomUUID(), type: 'test.happened', topic, ...at, sequence: n, data: { n } }
}
