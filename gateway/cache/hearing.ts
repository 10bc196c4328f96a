import { productUpdated } from '#contracts/events.ts'
import { followEvents } from '#platform/bus/follow.ts'
import { on } from '#platform/bus/handlers.ts'
import { type BusConfig, busRules } from '#platform/bus/open.ts'
import type { Parsed, processSettings } from '#platform/env.ts'
import type { Log } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Changes } from './changes.ts'

/** Milliseconds that may pass without word from the event log until nothing is given from the cache. */
const longestSilence = 1_000

/** A gateway without an event log is told nothing, and keeps only what says itself for how long it is fresh. */
export function hearingRule(config: Partial<BusConfig & Parsed<typeof processSettings>>): string[] {
  return tells(config) ? busRules(config) : []
}

/** Whether there is an event log to hear. */
export function tells({ KAFKA_BROKERS, EVENTS_DATABASE_URL }: Partial<BusConfig>): boolean {
  return KAFKA_BROKERS !== undefined || EVENTS_DATABASE_URL !== undefined
}

export type HearChangesOptions = {
  config: BusConfig
  changes: Changes
  /** Told of each change, so that nobody waits for a fetch that began before it. */
  onChange: () => void
  metrics: Metrics
  log: Log
}

/** Hears in the event log what changes. Each gateway hears all of it: none of them can forget for another. */
export async function hearChanges({ config, changes, onChange, metrics, log }: HearChangesOptions) {
  const follower = await followEvents(config, 'gateway', {
    handlers: [
      on(productUpdated, async ({ data: { productId: id, sku } }) => {
        onChange()
        changes.entity('Product', { id, sku }, performance.now())
      }),
    ],
    onGap() {
      onChange()
      changes.all(performance.now())
    },
    log,
  })
  const hears = () => follower.silence() < longestSilence
  const help = '1 while the gateway hears what changes, 0 while it therefore gives nothing from its cache.'
  metrics.measured({ response_cache_hears: help }, [], async () => [
    { labels: {}, values: { response_cache_hears: hears() ? 1 : 0 } },
  ])
  return { hears, stop: follower.stop }
}
