import { z } from 'zod'
import { integer, live, type Parsed } from './env.ts'
import type { Metrics } from './metrics.ts'

export const breakerSettings = {
  /** Share of failed calls at which a breaker opens. Default 0.6. */
  BREAKER_FAILURE_RATIO: live(z.coerce.number('must be a number').gt(0).max(1).default(0.6)),
  /** Calls in the window, below which no share of them opens it. Default 3. */
  BREAKER_CALLS: live(integer(1, 1_000_000).default(3)),
  /** Milliseconds for which a call is counted. Default 10000. */
  BREAKER_WINDOW: live(integer(100, 3_600_000).default(10_000)),
  /** Milliseconds for which an open one lets nothing through. Default 60000. */
  BREAKER_OPEN_TIME: live(integer(10, 3_600_000).default(60_000)),
  /** Calls that are tried after that, all of which must succeed. Default 3. */
  BREAKER_PROBES: live(integer(1, 1_000).default(3)),
  /** Milliseconds from which on a call that succeeded counts as failed. Default 0: it never does. */
  BREAKER_SLOW_CALL: live(integer(0, 3_600_000).default(0)),
}

export type BreakerState = 'closed' | 'half-open' | 'open'

/**
 * What became of a call. `ignored` says nothing of the other side, such as that the caller went away: it is as if the
 * call had not been made.
 */
export type Outcome = 'succeeded' | 'failed' | 'ignored'

export type BreakerRules = {
  /** When it opens: at a share of failures among enough calls in a window, or after more than so many in a row. */
  readonly opens: { readonly ratio: number; readonly calls: number; readonly window: number } | { readonly row: number }
  /** Milliseconds until it tries again. */
  readonly openTime: number
  /** Calls that it tries with. */
  readonly probes: number
  /** Milliseconds from which on a success counts as a failure. 0 for never. */
  readonly slowCall: number
}

export type BreakerOptions = {
  /** Read at each call, so that they may change. */
  rules: () => BreakerRules
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number
  onChange?: (state: BreakerState) => void
}

/** Parts of the window that are counted together: a call is forgotten within a tenth of the window of its time. */
const slices = 10
/** Milliseconds until a readiness is believed again that was worth nothing once. */
const firstDoubt = 2_000

/**
 * Keeps calls away from what fails. Closed, it lets calls through and counts them. Open, it refuses them at once. After
 * its time, or when the other side is newly confirmed ready, it is half open: exactly as many calls as there are probes go
 * through; when all have succeeded it closes, and the first that fails opens it again. A call that began before the state
 * last changed has no say. It holds a few numbers, however many calls there are.
 */
export function createBreaker({ rules, now = () => performance.now(), onChange }: BreakerOptions) {
  let state: BreakerState = 'closed'
  /** Counts the changes of state, so that a call knows whether there was one. */
  let era = 0
  let openedAt = 0
  /** Of the half-open state. */
  let admitted = 0
  let succeeded = 0
  /** Milliseconds after which a confirmation of readiness is believed. Longer each time that calls fail all the same. */
  let doubt = 0
  const counts = createCounts()

  function become(next: BreakerState): void {
    if (next === 'closed') doubt = 0
    if (next === 'open') openedAt = now()
    state = next
    era += 1
    admitted = 0
    succeeded = 0
    counts.clear()
    onChange?.(next)
  }

  function current(): BreakerState {
    if (state === 'open' && now() - openedAt >= rules().openTime) become('half-open')
    // Fewer may be asked for by now than have succeeded, and no further one would be let through.
    if (state === 'half-open' && succeeded >= rules().probes) become('closed')
    return state
  }

  function count(failed: boolean): void {
    const { opens, probes } = rules()
    if (state === 'half-open') {
      succeeded += failed ? 0 : 1
      if (failed) become('open')
      else if (succeeded >= probes) become('closed')
    } else if (counts.add(failed, opens, now())) become('open')
  }

  return {
    get state(): BreakerState {
      return current()
    },
    /** True when the next call would be refused. */
    get refuses(): boolean {
      return current() === 'open' || (state === 'half-open' && admitted >= rules().probes)
    },
    /** Milliseconds until calls are let through again, if nothing tells before that they can be. */
    get wait(): number {
      return current() === 'open' ? openedAt + rules().openTime - now() : 0
    },
    /** Lets a call through, and is told what became of it, once. Undefined when the call is refused. */
    begin(): ((outcome: Outcome) => void) | undefined {
      const start = now()
      if (current() === 'open') return undefined
      if (state === 'half-open') {
        if (admitted >= rules().probes) return undefined
        admitted += 1
      }
      const begun = era
      let told = false
      return (outcome) => {
        if (told || begun !== era) return
        told = true
        if (outcome === 'ignored') admitted -= state === 'half-open' ? 1 : 0
        else count(outcome === 'failed' || isSlow(now() - start, rules()))
      }
    },
    /**
     * The other side was found to be ready. An open breaker tries it at once, but not when it did so for this readiness
     * before and the calls failed all the same: then after 2 s, and after twice as long each further time.
     */
    ready(): void {
      if (current() !== 'open' || now() - openedAt < doubt) return
      doubt = doubt === 0 ? firstDoubt : doubt * 2
      become('half-open')
    },
    /** The other side was found not to be ready, so that the next readiness is news. */
    notReady(): void {
      doubt = 0
    },
  }
}

export type Breaker = ReturnType<typeof createBreaker>

function isSlow(elapsed: number, { slowCall }: BreakerRules): boolean {
  return slowCall > 0 && elapsed >= slowCall
}

/** The calls since a breaker closed, as far as its rule needs them. */
function createCounts() {
  const calls = new Array<number>(slices).fill(0)
  const failures = new Array<number>(slices).fill(0)
  let row = 0
  let newest = 0
  let width = 0

  function clear(): void {
    calls.fill(0)
    failures.fill(0)
    row = 0
  }

  /** Empties the slices whose time is over. */
  function advance(slice: number): void {
    for (let next = Math.max(newest + 1, slice - slices + 1); next <= slice; next++) {
      calls[next % slices] = 0
      failures[next % slices] = 0
    }
    newest = Math.max(newest, slice)
  }

  return {
    clear,
    /** Counts a call. True when it is one failure too many. */
    add(failed: boolean, opens: BreakerRules['opens'], at: number): boolean {
      row = failed ? row + 1 : 0
      if ('row' in opens) return row > opens.row
      if (width !== opens.window / slices) {
        clear()
        width = opens.window / slices
        newest = Math.floor(at / width)
      }
      const slice = Math.floor(at / width)
      advance(slice)
      calls[slice % slices] = (calls[slice % slices] ?? 0) + 1
      if (!failed) return false
      failures[slice % slices] = (failures[slice % slices] ?? 0) + 1
      const all = sum(calls)
      return all >= opens.calls && sum(failures) / all >= opens.ratio
    },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The rules that settings give: by the share of failures, or by failures in a row. */
export function breakerRules(config: Parsed<typeof breakerSettings>, row?: number): BreakerRules {
  return {
    opens:
      row === undefined
        ? { ratio: config.BREAKER_FAILURE_RATIO, calls: config.BREAKER_CALLS, window: config.BREAKER_WINDOW }
        : { row },
    openTime: config.BREAKER_OPEN_TIME,
    probes: config.BREAKER_PROBES,
    slowCall: config.BREAKER_SLOW_CALL,
  }
}

const stateValues: Record<BreakerState, number> = { closed: 0, 'half-open': 1, open: 2 }

/** Shows breakers, by what they guard, as `circuit_breaker_state`. */
export function meterBreakers(metrics: Metrics, breakers: () => Iterable<readonly [target: string, Breaker]>): void {
  const help = 'State of a circuit breaker: 0 closed, 1 half open, 2 open.'
  metrics.measured({ circuit_breaker_state: help }, ['target'], async () =>
    [...breakers()].map(([target, { state }]) => ({
      labels: { target },
      values: { circuit_breaker_state: stateValues[state] },
    })),
  )
}
