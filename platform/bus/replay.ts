import { deadLetterTopic, isDeadLetterTopic } from './bus.ts'
import type { LogRecord } from './cloudevents.ts'
import { deadLetterHeaders, replayGroup } from './delivery.ts'
import type { RecordLog, StoredRecord } from './records.ts'

/** A dead letter that waits for somebody to decide. */
export type DeadLetter = StoredRecord & {
  /** The topic that its event came from. */
  origin: string
  group: string
}

/** What a mark says of the letter it settles: where it is, what became of it and when. */
const marks = { settles: 'dlq-settles', outcome: 'dlq-outcome', at: 'dlq-settled-at' } as const

/**
 * What is done with dead letters. A letter is settled by a mark in its own topic, so that what was done is known on both
 * event logs, for as long as the letter is kept.
 *
 * Guarantees: an event that is driven reaches its group alone, with the id it had, so that the inbox knows a repeat. It comes
 * behind all that was published before, so that one that was overtaken is recognised by its sequence. A letter that is
 * settled is not driven again; a crash between the event and its mark repeats the event.
 */
export function createReplay({ records, now }: { records: RecordLog; now: () => Date }) {
  async function waiting(topic: string): Promise<{ kept: number; letters: StoredRecord[] }> {
    const letters = new Map<string, StoredRecord>()
    const settled: string[] = []
    await records.read(topic, (record) => {
      const mark = record.headers[marks.settles]
      if (mark === undefined) letters.set(placeOf(record), record)
      else settled.push(mark)
    })
    const kept = letters.size
    for (const place of settled) letters.delete(place)
    return { kept, letters: [...letters.values()] }
  }

  async function settle(letter: DeadLetter, outcome: 'driven' | 'dropped'): Promise<void> {
    const headers = {
      [marks.settles]: placeOf(letter),
      [marks.outcome]: outcome,
      [marks.at]: now().toISOString(),
    }
    await records.append(letter.topic, { key: letter.key, headers, value: Buffer.alloc(0) })
  }

  return {
    /** Every topic of dead letters: how many it keeps, how many of them wait, and when the first of those failed last. */
    async list(): Promise<{ topic: string; kept: number; waiting: number; oldest: string | undefined }[]> {
      const topics = (await records.topics()).filter(isDeadLetterTopic).sort()
      const rows = []
      for (const topic of topics) {
        const { kept, letters } = await waiting(topic)
        const times = letters.flatMap(({ headers }) => headers[deadLetterHeaders.lastFailedAt] ?? [])
        rows.push({ topic, kept, waiting: letters.length, oldest: times.sort()[0] })
      }
      return rows
    },

    /** The letters of a group that wait, as they came; with `id`, those of one event, or the one at `partition/offset`. */
    async find({ topic, group, id }: { topic: string; group: string; id?: string | undefined }): Promise<DeadLetter[]> {
      const { letters } = await waiting(deadLetterTopic(topic, group))
      return letters
        .filter((letter) => id === undefined || letter.headers.ce_id === id || placeOf(letter) === id)
        .map((letter) => ({ ...letter, origin: topic, group }))
    },

    /** Puts the event at the end of the topic it came from, for its group alone, and marks the letter. */
    async drive(letter: DeadLetter): Promise<void> {
      await records.append(letter.origin, toEvent(letter))
      await settle(letter, 'driven')
    },

    /** Marks the letter: nothing is done about it. It goes when its days are over. */
    drop: (letter: DeadLetter): Promise<void> => settle(letter, 'dropped'),
  }
}

/** What `find` takes for one letter: unlike its event's id it is never missing. */
export function placeOf({ partition, offset }: StoredRecord): string {
  return `${partition}/${offset}`
}

/** The record as it came before it failed, with the group that it is for. */
function toEvent({ key, headers, value, group }: DeadLetter): LogRecord {
  const added = new Set<string>(Object.values(deadLetterHeaders))
  const own = Object.entries(headers).filter(([name]) => !added.has(name))
  return { key, headers: { ...Object.fromEntries(own), [replayGroup]: group }, value }
}
