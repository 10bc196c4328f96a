import type { BusConfig } from '#platform/bus/open.ts'
import type { Parsed } from '#platform/env.ts'
import type { Lifecycle } from '#platform/lifecycle.ts'
import type { Log } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { type cacheSettings, createResponseCache, type ResponseCache } from '../cache.ts'
import { createChanges } from './changes.ts'
import { hearChanges, tells } from './hearing.ts'

export type OpenResponseCacheOptions = {
  config: Parsed<typeof cacheSettings> & BusConfig
  /** Told when something is told to have changed, or may have. */
  onChange: () => void
  metrics: Metrics
  log: Log
  lifecycle: Lifecycle
}

/** Opens the cache that the settings ask for, with its ear at the event log. Undefined where they ask for none. */
export async function openResponseCache(options: OpenResponseCacheOptions): Promise<ResponseCache | undefined> {
  const { config, onChange, metrics, log, lifecycle } = options
  if (config.RESPONSE_CACHE === 'off') return undefined
  const changes = createChanges()
  const hearing = tells(config) ? await hearChanges({ config, changes, onChange, metrics, log }) : undefined
  if (hearing) lifecycle.onStop('event follower', hearing.stop)
  return createResponseCache({
    changes,
    maxAge: config.RESPONSE_CACHE_MAX_AGE,
    bytes: config.RESPONSE_CACHE_BYTES,
    privates: config.RESPONSE_CACHE_PRIVATE === 'on',
    hears: hearing?.hears,
    metrics,
  })
}
