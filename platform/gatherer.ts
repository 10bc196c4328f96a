import { AsyncLocalStorage } from 'node:async_hooks'
import { currentContext, runWithContext, timeLeft } from './context.ts'
import { hasCode, ServiceError } from './errors.ts'

export type GathererOptions = {
  /** Whom a refusal names. */
  name: string
  /** Milliseconds that a caller waits for its turn and for a connection, together. Default 2000. */
  wait?: number
  /** Reads of one kind under way at once. Default 2. */
  atOnce?: number
  /** Keys of one read at the most, unless one caller alone asks for more. Default 500. */
  most?: number
  /** Callers that wait. Default 1000. */
  queue?: number
}

/** Reads what exists of the keys, each once and in any order. */
export type Find<Item> = (keys: readonly string[]) => Promise<readonly Item[]>

/** Makes of a read one that gathers. */
export type Gather = <Item>(find: Find<Item>, keyOf: (item: Item) => string) => Find<Item>

type Ask<Item> = {
  readonly keys: readonly string[]
  /** Until when it may wait for a connection, in milliseconds since the epoch. */
  readonly until: number
  /** Runs something in the context of whoever asked. Undefined of one that is read for alone and at once, in the context at hand. */
  readonly resume: ((work: () => void) => void) | undefined
  readonly answer: PromiseWithResolvers<readonly Item[]>
}

/** Milliseconds that are left for a refusal to reach a caller, as a pool leaves them, and by which a refusal may be early. */
const answerTime = 100
const earliness = 10

/**
 * Gathers what different requests ask for at the same time: while `atOnce` reads are under way, keys that are asked for wait, and
 * go together in the next one. While fewer are, nothing waits.
 *
 * Guarantee: what a caller gets was read after it asked, and a read that fails fails for those whose keys it had, and for nobody
 * else. Each waits as long for a connection as it would alone: when there was none in time for the first of those who are read for
 * together, the others go on waiting. When `queue` callers wait, further ones are refused with OVERLOADED.
 */
export function createGatherer({ name, wait = 2_000, atOnce = 2, most = 500, queue = 1_000 }: GathererOptions): Gather {
  return <Item>(find: Find<Item>, keyOf: (item: Item) => string): Find<Item> => {
    const waiting: Ask<Item>[] = []
    let underWay = 0

    async function read(asks: readonly Ask<Item>[]): Promise<void> {
      underWay += 1
      try {
        const found = await find([...new Set(asks.flatMap(({ keys }) => keys))])
        const byKey = new Map(found.map((item) => [keyOf(item), item]))
        for (const { keys, answer } of asks) answer.resolve(keys.flatMap((key) => byKey.get(key) ?? []))
      } catch (error) {
        const patient = hasCode(error, 'OVERLOADED') ? thoseWithTime(asks) : new Set<Ask<Item>>()
        for (const ask of asks) if (!patient.has(ask)) ask.answer.reject(error)
        waiting.unshift(...patient)
      }
      underWay -= 1
      readNext()
    }

    /** Reads for those who wait, the first of them and as many more as one read has room for, in the context of the first. */
    function readNext(): void {
      const [first] = waiting
      if (!first) return
      let keys = 0
      const end = waiting.findIndex((ask, index) => {
        keys += ask.keys.length
        return keys > most && index > 0
      })
      const asks = waiting.splice(0, end < 0 ? waiting.length : end)
      const begin = () => within(first.until + answerTime, () => void read(asks))
      if (first.resume) first.resume(begin)
      else begin()
    }

    return async (wanted) => {
      const isBusy = underWay >= atOnce
      if (isBusy && waiting.length >= queue) {
        throw new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: name, retryAfter: 1 })
      }
      const answer = Promise.withResolvers<readonly Item[]>()
      const until = Date.now() + timeLeft(wait + answerTime) - answerTime
      const isFirst = !isBusy && waiting.length === 0
      const resume = isFirst ? undefined : AsyncLocalStorage.snapshot()
      waiting.push({ keys: [...new Set(wanted)], until, resume, answer })
      if (!isBusy) readNext()
      return answer.promise
    }
  }
}

/** Those of a read that got no connection who may wait on. None when it was refused before its time: it was not time that it lacked. */
function thoseWithTime<Item>(asks: readonly Ask<Item>[]): ReadonlySet<Ask<Item>> {
  const now = Date.now() + earliness
  const patient = asks.filter(({ until }) => until > now)
  return new Set(patient.length < asks.length ? patient : [])
}

/** Does something in the context at hand, which ends at `deadline` then, if not before. */
function within<T>(deadline: number, work: () => T): T {
  const context = currentContext()
  if (!context) return work()
  return runWithContext({ ...context, deadline: Math.min(deadline, context.deadline ?? deadline) }, work)
}
