import { type Breaker, type BreakerRules, createBreaker, meterBreakers, type Outcome } from './breaker.ts'
import { hasCode, ServiceError } from './errors.ts'
import type { Log } from './log.ts'
import { unavailable } from './mask.ts'
import type { Metrics } from './metrics.ts'

/** Milliseconds below which an answer that did not come in time says nothing of who was to give it. */
const fairTime = 100
/** Seconds that a refused caller is told to wait, at the most: what is away may be back, and noticed, long before its time. */
const longestWait = 5

/** The breakers of a process, one for each other side that it calls: their changes are logged and their states shown. */
export function createBreakers({ log, metrics }: { log: Log; metrics?: Metrics | undefined }) {
  const breakers = new Map<string, Breaker>()
  if (metrics) meterBreakers(metrics, () => breakers)
  return function breakerFor(target: string, rules: () => BreakerRules): Breaker {
    const breaker = createBreaker({ rules, onChange: (state) => log.warn('breaker', { target, state }) })
    breakers.set(target, breaker)
    return breaker
  }
}

export type GuardedCall = {
  /** Who is called. */
  name: string
  breaker: Breaker
  /** Milliseconds that the call has. */
  time: number
  /** Whether a failure is not of the other side's making. */
  ignores?: (error: unknown) => boolean
}

/**
 * Makes a call, if the breaker lets it through. Throws SUBGRAPH_UNAVAILABLE at once if not: nothing was sent then.
 *
 * It counts as a failure that the other side could not be reached, was late though it had time, said that it is not
 * available, or answered nothing that can be understood. Its refusals do not count, nor do failures that it passes on from
 * others.
 */
export async function callThrough<T>(guarded: GuardedCall, call: () => Promise<T>): Promise<T> {
  const done = guarded.breaker.begin()
  if (!done) throw refused(guarded)
  try {
    const answer = await call()
    done('succeeded')
    return answer
  } catch (error) {
    done(outcomeOf(error, guarded))
    throw error
  }
}

/** What a call is told that the breaker does not let through. */
export function refused({ name, breaker }: Pick<GuardedCall, 'name' | 'breaker'>): ServiceError {
  return unavailable(name, undefined, Math.min(longestWait, Math.max(1, Math.ceil(breaker.wait / 1_000))))
}

/** A check whose outcome the breaker learns. */
export function confirming<Args extends unknown[], T>(breaker: Breaker, check: (...args: Args) => Promise<T>) {
  return async (...args: Args): Promise<T> => {
    try {
      const answer = await check(...args)
      breaker.ready()
      return answer
    } catch (error) {
      breaker.notReady()
      throw error
    }
  }
}

function outcomeOf(error: unknown, { name, time, ignores }: GuardedCall): Outcome {
  if (ignores?.(error)) return 'ignored'
  if (hasCode(error, 'SUBGRAPH_TIMEOUT') && time < fairTime) return 'ignored'
  if (hasCode(error, 'SUBGRAPH_UNAVAILABLE', 'SUBGRAPH_TIMEOUT')) {
    return error.details.subgraph === name ? 'failed' : 'succeeded'
  }
  // With an id the other side has answered, whatever went wrong there.
  if (hasCode(error, 'INTERNAL_SERVER_ERROR')) return error.details.errorId === undefined ? 'failed' : 'succeeded'
  return error instanceof ServiceError ? 'succeeded' : 'failed'
}
