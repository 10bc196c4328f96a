import { integer, onOff } from '#platform/env.ts'
import type { Log } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { readSupergraph, type Supergraph, stampOf } from './supergraph.ts'

export const rolloutSettings = {
  /** Whether a new supergraph schema is taken over while the gateway runs. Default on. */
  SUPERGRAPH_WATCH: onOff.default('on'),
  /** Milliseconds between two looks at the file of the supergraph schema. Default 1000. */
  SUPERGRAPH_INTERVAL: integer(10, 3_600_000).default(1_000),
}

export type RolloutOptions<Serving> = {
  file: string
  /** Milliseconds between two looks at the file. Absent: it is read once. */
  interval: number | undefined
  /** Makes all that answers requests by one supergraph schema. Throws for one that cannot be loaded. */
  open: (supergraph: Supergraph) => Promise<Serving>
  /** Rejects when what works on one must not be lost on the next. */
  rehearse: (next: Serving, previous: Serving) => Promise<void>
  metrics: Metrics
  log: Log
}

/** What is told of the schema that is served. */
export type SchemaReport = {
  readonly version: string
  /** Since when, ISO 8601. */
  readonly since: string
  /** Whether there is a newer one that is refused. The log says why. */
  readonly refused: boolean
}

/** Schemas that requests are still answered by, beside the newest. While there are as many, no other is taken over. */
const mostRetired = 3

type Held<Serving> = { readonly serving: Serving; readonly version: string; readonly since: Date; users: number }

/**
 * Serves by the supergraph schema of a file, and by a new one as soon as there is one.
 *
 * Guarantee: a request is answered by one schema from its beginning to its end. A schema that cannot be read, loaded or
 * rehearsed is refused, and the one before is served on. A file is looked at only once it stands still, so that one that is
 * being written is not half read.
 */
export async function createRollout<Serving extends { close(): Promise<void> }>(options: RolloutOptions<Serving>) {
  const { file, interval, open, rehearse, metrics, log } = options
  const swaps = metrics.counter('supergraph_rollouts_total', 'Supergraph schemas by what became of them.', ['result'])
  const retired = new Set<Held<Serving>>()
  let seen = await stampOf(file)
  let tried = seen
  let refused = false
  let timer: NodeJS.Timeout | undefined
  let current = await load(undefined)
  let looking: Promise<void> = Promise.resolve()
  let stopped = false

  metrics.measured({ supergraph_info: 'The supergraph schema that is served.' }, ['version'], async () => [
    { labels: { version: current.version }, values: { supergraph_info: 1 } },
  ])

  async function load(previous: Held<Serving> | undefined): Promise<Held<Serving>> {
    const supergraph = await readSupergraph(file)
    if (supergraph.version === previous?.version) return previous
    const serving = await open(supergraph)
    try {
      if (previous) await rehearse(serving, previous.serving)
    } catch (error) {
      await serving.close()
      throw error
    }
    return { serving, version: supergraph.version, since: new Date(), users: 0 }
  }

  async function look(): Promise<void> {
    const stamp = await stampOf(file)
    const stands = stamp !== undefined && stamp === seen
    seen = stamp
    if (!stands || stamp === tried || retired.size >= mostRetired) return
    tried = stamp
    try {
      const next = await load(current)
      refused = false
      if (next === current) return
      const before = current
      current = next
      swaps.inc({ result: 'swapped' })
      log.info('supergraph swapped', { version: next.version, before: before.version })
      retired.add(before)
      if (before.users === 0) await close(before)
    } catch (error) {
      refused = true
      swaps.inc({ result: 'refused' })
      log.error('supergraph refused', { serving: current.version, error })
    }
  }

  async function close(held: Held<Serving>): Promise<void> {
    retired.delete(held)
    await held.serving.close().catch((error: unknown) => log.error('closing a supergraph failed', { error }))
  }

  function next(): void {
    if (interval === undefined || stopped) return
    timer = setTimeout(() => {
      looking = look().finally(next)
    }, interval)
    timer.unref()
  }
  next()

  return {
    get current(): Serving {
      return current.serving
    },
    /** Does something by the schema that is served now, which stays until it is done. */
    async use<Result>(work: (serving: Serving) => Promise<Result>): Promise<Result> {
      const held = current
      held.users++
      try {
        return await work(held.serving)
      } finally {
        held.users--
        if (held.users === 0 && retired.has(held)) void close(held)
      }
    },
    report: (): SchemaReport => ({
      version: current.version,
      since: current.since.toISOString(),
      refused,
    }),
    /** Rejects while there is a newer schema that is refused. */
    async check(): Promise<void> {
      if (refused) throw Object.assign(new Error('The newest supergraph is refused.'), { code: 'SUPERGRAPH_REFUSED' })
    },
    async stop(): Promise<void> {
      stopped = true
      clearTimeout(timer)
      await looking
      await Promise.all([current, ...retired].map(close))
    },
  }
}
