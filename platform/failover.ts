import { setTimeout as sleep } from 'node:timers/promises'
import { type BalancerOptions, createBalancer } from './balancer.ts'
import { createRetryBudget, type RetryBudgetOptions } from './retry-budget.ts'

/**
 * Why an attempt did not succeed.
 *
 * - `refused`: there was no connection, or the caller was turned away, so nothing was carried out. The instance is set aside, and
 *   the call may always be made again.
 * - `broken`: the connection ended, or something in between could not pass the call on. Whether it was carried out is not known.
 * - `answered`: the instance said no, and a repeat would hear the same.
 * - `ended`: time is over, or nobody waits.
 */
export type Failure = 'refused' | 'broken' | 'answered' | 'ended'

export type FailoverOptions<Target> = BalancerOptions<Target> & {
  /** Why an attempt threw. */
  failureOf: (error: unknown) => Failure
  /** The error when there is no instance. */
  noInstance: () => Error
  budget?: RetryBudgetOptions
}

export type Call = {
  /** Whether a repeat does no harm. */
  repeatable: boolean
  /** Milliseconds that are left. */
  timeLeft: () => number
}

/** One attempt at an instance. `onLeave` is called when its answer says that it stops. */
type Work<Target, T> = (target: Target, onLeave: () => void) => Promise<T>

/** Milliseconds before the second attempt, at the most. All of it is random, so that those who failed together part. */
const longestPause = 50

/**
 * Calls a service at one of its instances and, when that fails, once more: at another one where there is one, after a short
 * pause, if there is time and the budget for retries allows it. What may have been carried out is made again only when a
 * repeat does no harm.
 */
export function createFailover<Target>({ failureOf, noInstance, budget, ...options }: FailoverOptions<Target>) {
  const { random = Math.random } = options
  const balancer = createBalancer(options)
  const retries = createRetryBudget(budget)

  async function attempt<T>(work: Work<Target, T>, tried: string[]): Promise<T> {
    const choice = balancer.choose(tried)
    if (!choice) throw noInstance()
    tried.push(choice.address)
    let leaving = false
    const onLeave = () => {
      leaving = true
    }
    try {
      const result = await work(choice.target, onLeave)
      choice.release(leaving ? 'leaving' : 'reached')
      return result
    } catch (error) {
      const failure = failureOf(error)
      choice.release(failure === 'refused' ? 'refused' : failure === 'answered' ? 'reached' : undefined)
      throw error
    }
  }

  return {
    /** Resolves with what `work` at an instance resolved with, or rejects with what the last attempt threw. */
    async call<T>(work: Work<Target, T>, { repeatable, timeLeft }: Call): Promise<T> {
      retries.onCall()
      const tried: string[] = []
      try {
        return await attempt(work, tried)
      } catch (error) {
        const failure = failureOf(error)
        const pause = random() * longestPause
        const mayRepeat = failure === 'refused' || (failure === 'broken' && repeatable)
        if (tried.length === 0 || !mayRepeat || pause >= timeLeft() || !retries.take()) throw error
        await sleep(pause)
      }
      return attempt(work, tried)
    },
    targets: balancer.targets,
    close: balancer.close,
  }
}
