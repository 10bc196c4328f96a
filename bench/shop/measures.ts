import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Milliseconds, from when the requests were meant to be sent. */
export type Latencies = { count: number; failed: number; p50: number; p95: number; p99: number; max: number }

/** What came of a stretch of requests: by kind, all together, and how many failed with which code. */
export type Measured = { kinds: Record<string, Latencies>; all: Latencies; errors: Record<string, number> }

type Part = { histogram: RecordableHistogram; failed: number }

/** Collects latencies in histograms of three digits, so that a long run needs no more memory than a short one. */
export function createMeasures() {
  let parts = new Map<string, Part>()
  let all = newPart()
  let errors: Record<string, number> = {}

  function partOf(kind: string): Part {
    const part = parts.get(kind) ?? newPart()
    parts.set(kind, part)
    return part
  }

  return {
    /** Counts an answer, and what went wrong with it. */
    add(kind: string, milliseconds: number, error?: string): void {
      for (const part of [partOf(kind), all]) {
        part.histogram.record(Math.max(1, Math.round(milliseconds * 1_000)))
        if (error) part.failed += 1
      }
      if (error) errors[`${kind}: ${error}`] = (errors[`${kind}: ${error}`] ?? 0) + 1
    },
    /** What was counted since the last time. */
    take(): Measured {
      const kinds = Object.fromEntries([...parts].map(([kind, part]) => [kind, latenciesOf(part)]))
      const taken = { kinds, all: latenciesOf(all), errors }
      parts = new Map()
      all = newPart()
      errors = {}
      return taken
    },
  }
}

function newPart(): Part {
  // Microseconds, up to ten minutes.
  return { histogram: createHistogram({ lowest: 1, highest: 600_000_000, figures: 3 }), failed: 0 }
}

function latenciesOf({ histogram, failed }: Part): Latencies {
  const at = (percent: number) => histogram.percentile(percent) / 1_000
  const { count } = histogram
  return count === 0
    ? { count, failed, p50: 0, p95: 0, p99: 0, max: 0 }
    : { count, failed, p50: at(50), p95: at(95), p99: at(99), max: histogram.max / 1_000 }
}
