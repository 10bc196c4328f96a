import { type BreakerRules, type BreakerState, breakerSettings } from '#platform/breaker.ts'
import { type BulkheadLimits, createBulkhead, type Wait } from '#platform/bulkhead.ts'
import { integer, live } from '#platform/env.ts'
import { ServiceError } from '#platform/errors.ts'
import { callThrough, confirming, createBreakers, refused } from '#platform/guard.ts'
import type { Log } from '#platform/log.ts'
import { timedOut } from '#platform/mask.ts'
import type { Metrics } from '#platform/metrics.ts'

export const resilienceSettings = {
  ...breakerSettings,
  /** Fetches from one subgraph that are under way at once. Default 200. */
  SUBGRAPH_CONCURRENCY: live(integer(1, 100_000).default(200)),
  /** Fetches from one subgraph that wait for one of them to end. Default 1000. */
  SUBGRAPH_QUEUE: live(integer(0, 100_000).default(1_000)),
}

/** An answer that is no GraphQL response. */
export class NoGraphQLResponse extends Error {
  override readonly name = 'NoGraphQLResponse'
  readonly status: number

  constructor(status: number) {
    super(`The answer with status ${status} is no GraphQL response.`)
    this.status = status
  }
}

/** Why a request's work ends early. Nobody is there to read it. */
export function clientGone(): ServiceError {
  return new ServiceError('SUBGRAPH_UNAVAILABLE', 'The client is gone.')
}

export type GuardOptions = {
  /** Read at each fetch, so that they may change. */
  rules: () => BreakerRules
  limits: () => BulkheadLimits
  metrics?: Metrics
  log: Log
}

/** A subgraph that does not answer as it should. */
export type Degraded = { readonly name: string; readonly state: Exclude<BreakerState, 'closed'> }

/** What keeps a subgraph that fails or is slow from taking the others down: a breaker and a bulkhead for each. */
export function createGuards({ rules, limits, metrics, log }: GuardOptions) {
  const guards = new Map<string, ReturnType<typeof createGuard>>()
  const breakerFor = createBreakers({ log, metrics })
  if (metrics) {
    const helps = {
      subgraph_fetches_under_way: 'Fetches from a subgraph that are under way.',
      subgraph_fetches_waiting: 'Fetches from a subgraph that wait for their turn.',
    }
    metrics.measured(helps, ['subgraph'], async () =>
      [...guards].map(([subgraph, { bulkhead }]) => ({
        labels: { subgraph },
        values: { subgraph_fetches_under_way: bulkhead.underWay, subgraph_fetches_waiting: bulkhead.waiting },
      })),
    )
  }

  function createGuard(name: string) {
    const breaker = breakerFor(name, rules)
    const bulkhead = createBulkhead({ name, limits })
    return {
      breaker,
      bulkhead,
      /**
       * Makes a fetch in its turn, if the breaker lets it through. Nothing is sent for a client who is gone or waits no
       * longer, nor by a fetch that is refused: SUBGRAPH_UNAVAILABLE by the breaker, OVERLOADED by the bulkhead.
       */
      fetch<T>(context: Wait, send: () => Promise<T>): Promise<T> {
        const { deadline, signal } = context
        if (signal?.aborted) return Promise.reject(signal.reason)
        if (deadline <= Date.now()) return Promise.reject(timedOut(name))
        if (breaker.refuses) return Promise.reject(refused({ name, breaker }))
        const ignores = (error: unknown) => signal?.aborted === true || isRefusal(error)
        return bulkhead.run(() => callThrough({ name, breaker, time: deadline - Date.now(), ignores }, send), context)
      },
      /** A check that tells an open breaker when the subgraph is back. */
      confirming: <Args extends unknown[]>(check: (...args: Args) => Promise<unknown>) => confirming(breaker, check),
    }
  }

  return {
    /** The guard of a subgraph. */
    of(name: string) {
      const guard = guards.get(name) ?? createGuard(name)
      guards.set(name, guard)
      return guard
    },
    /** Those of the subgraphs whose breakers are not closed. */
    degraded(subgraphs: ReadonlySet<string>): Degraded[] {
      const found: Degraded[] = []
      for (const [name, { breaker }] of guards) {
        const { state } = breaker
        if (state !== 'closed' && subgraphs.has(name)) found.push({ name, state })
      }
      return found
    },
  }
}

export type Guards = ReturnType<typeof createGuards>
export type Guard = ReturnType<Guards['of']>

/** A status of 4xx: the subgraph, or what stands before it, works and says no. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error
  return cause instanceof NoGraphQLResponse && cause.status >= 400 && cause.status < 500
}
