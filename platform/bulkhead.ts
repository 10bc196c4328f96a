import type { Departure } from './departure.ts'
import { ServiceError } from './errors.ts'

export type BulkheadLimits = {
  /** Calls under way at once. */
  readonly concurrency: number
  /** Calls that wait for one of them to end. */
  readonly queue: number
}

export type BulkheadOptions = {
  /** What the calls are for. */
  name: string
  /** Read at each call, so that they may change. */
  limits: () => BulkheadLimits
}

export type Wait = {
  /** Until when a call may wait, in milliseconds since the epoch. */
  readonly deadline: number
  /** Ends the wait. */
  readonly signal?: Departure | undefined
}

type Waiting = { start: () => void; refuse: (reason: unknown) => void }

/**
 * Bounds what one slow party can hold of this process: so many calls at once, and so many that wait for their turn, first
 * come, first served, no longer than their deadline. Further ones are refused at once with OVERLOADED: nothing was sent.
 */
export function createBulkhead({ name, limits }: BulkheadOptions) {
  const waiting = new Set<Waiting>()
  let underWay = 0

  function overloaded(): ServiceError {
    return new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: name, retryAfter: 1 })
  }

  /** Resolves when it is the caller's turn, which is counted already. */
  function turn({ deadline, signal }: Wait): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      waiting.delete(entry)
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const entry: Waiting = {
      start() {
        leave()
        underWay += 1
        resolve()
      },
      refuse(reason) {
        leave()
        reject(reason)
      },
    }
    const onAbort = () => entry.refuse(signal?.reason)
    const timer = setTimeout(() => entry.refuse(overloaded()), Math.max(0, deadline - Date.now()))
    signal?.addEventListener('abort', onAbort)
    waiting.add(entry)
    return promise
  }

  function next(): void {
    underWay -= 1
    const { concurrency } = limits()
    for (const { start } of waiting) {
      if (underWay >= concurrency) return
      start()
    }
  }

  return {
    /** Runs a call in its turn. Throws OVERLOADED, or the signal's reason, when it has none. */
    async run<T>(call: () => Promise<T>, wait: Wait): Promise<T> {
      const { concurrency, queue } = limits()
      if (underWay < concurrency && waiting.size === 0) underWay += 1
      else if (waiting.size >= queue) throw overloaded()
      else await turn(wait)
      try {
        return await call()
      } finally {
        next()
      }
    },
    get underWay(): number {
      return underWay
    },
    get waiting(): number {
      return waiting.size
    },
  }
}
