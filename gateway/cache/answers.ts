import type { Metrics } from '#platform/metrics.ts'
import type { Data } from '../objects.ts'
import type { AskedEntity } from '../stale/selection.ts'
import { createStaleStore, type Kept } from '../stale/store.ts'

export type AnswersOptions = {
  bytes: number
  /** Seconds that they are given at the most. */
  maxAge: number
  metrics?: Metrics | undefined
}

/**
 * Milliseconds after a change in which what is asked for is not kept: a subgraph that has instances or a cache of its own may
 * still answer what was before.
 */
const unsettled = 1_000

/** What is asked, and of what. */
export type Question = {
  /** Names the entity, or the root fields, as one subgraph tells of them to those for whom it is the same. */
  readonly key: string
  readonly asked: AskedEntity
  /** What is asked for, of each field. */
  readonly keys: readonly string[]
  /** Since when the answer is what it is. */
  readonly since: () => number
}

/** Answers that subgraphs gave, in so many bytes, for as long as they are fresh. Times are those of `performance.now()`. */
export function createAnswers({ bytes, maxAge, metrics }: AnswersOptions) {
  const store = createStaleStore({ bytes })
  const requests = metrics?.counter('cache_requests_total', 'What a cache was asked for.', ['cache', 'result'])
  metrics?.measured({ response_cache_bytes: 'About how many bytes the answers take that are kept.' }, [], async () => [
    { labels: {}, values: { response_cache_bytes: store.bytes } },
  ])

  return {
    /** A copy of what was answered, and its age in milliseconds. Undefined: nothing that is fresh. */
    find({ key, asked, keys, since }: Question, now: number): { data: Data; age: number } | undefined {
      const kept = store.get(key)
      const oldest = Math.max(now - Math.min(asked.maxAge, maxAge) * 1_000, since())
      let answer: Kept | undefined
      for (const each of kept?.answers ?? []) {
        if (each.at > oldest && each.at >= (answer?.at ?? oldest) && keys.every((key) => each.keys.includes(key)))
          answer = each
      }
      if (!answer) return undefined
      // All fields from one answer: together they are what the subgraph said at one time.
      const data: Data = {}
      for (const [index, { name, copy }] of asked.fields.entries()) {
        data[name] = copy(answer.values[answer.keys.indexOf(keys[index] ?? '')])
      }
      return { data, age: Math.max(0, now - answer.at) }
    },
    /** Keeps a copy of what was answered to a question that was asked then. */
    keep({ key, asked, keys, since }: Question, answered: Data, began: number): void {
      if (began < since() + unsettled) return
      if (!asked.fields.every(({ name }) => Object.hasOwn(answered, name))) return
      const values = asked.fields.map(({ name, copy }) => copy(answered[name]))
      store.put(key, asked.type, keys, values, began)
    },
    forget: store.forget,
    count(cache: 'entities' | 'roots', result: 'hit' | 'miss' | 'bypass', count: number): void {
      if (count > 0) requests?.inc({ cache, result }, count)
    },
  }
}

export type Answers = ReturnType<typeof createAnswers>
