import { monitorEventLoopDelay } from 'node:perf_hooks'
import { integer, live } from '#platform/env.ts'
import { ServiceError } from '#platform/errors.ts'

export const sheddingSettings = {
  /** Milliseconds by which work may be late, before new requests are refused. 0 refuses none. Default 250. */
  MAX_EVENT_LOOP_DELAY: live(integer(0, 60_000).default(250)),
}

/** Milliseconds between looks, and between the samples that each takes the median of. */
const interval = 500
const resolution = 10
/** Looks in a row that must find the process too busy. */
const looksInARow = 2

export type ShedderOptions = {
  /** Milliseconds of delay from which on requests are refused. 0 for never. Read at each look. */
  limit: () => number
  /** Milliseconds by which the event loop was late since the last call, in the median. Undefined: nothing was seen. */
  measure?: () => number | undefined
  onRefused?: () => void
}

/**
 * Refuses new requests while the process has more to do than it can: whoever is refused at once can go elsewhere, and
 * those who were let in are answered. The measure is the median delay of the event loop in half a second, twice in a row.
 * One long piece of work, such as a big query plan or a collection of garbage, is one late sample among many on time,
 * and a machine that is merely busy delays by some milliseconds; only a process that is behind all the time has a late median.
 */
export function createShedder({ limit, measure = eventLoopDelay(), onRefused }: ShedderOptions) {
  let late = 0

  function look(): void {
    const delay = measure()
    if (delay !== undefined) late = limit() > 0 && delay >= limit() ? late + 1 : 0
  }

  return {
    look,
    start(): () => void {
      const timer = setInterval(look, interval)
      timer.unref()
      return () => clearInterval(timer)
    },
    /** Throws OVERLOADED while the process is too busy. */
    admit(): void {
      if (late < looksInARow) return
      onRefused?.()
      throw new ServiceError('OVERLOADED', 'Too busy now, try again.', { retryAfter: 1 })
    },
  }
}

function eventLoopDelay(): () => number | undefined {
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  return () => {
    // A sample is the time between two turns of a timer, its own interval included.
    const delay = histogram.count > 0 ? Math.max(0, histogram.percentile(50) / 1e6 - resolution) : undefined
    histogram.reset()
    return delay
  }
}
