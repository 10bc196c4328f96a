import type { Consul } from '../consul.ts'
import type { Takes } from '../live.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** In the place of a service's name: what is for every process. */
export const everyProcess = 'all'

export type FollowOptions = {
  /** This process. */
  name: string
  live: Takes
  /** Absent: every setting stays as it is. */
  consul: Consul | undefined
  /** Begins the names of all keys, where a Consul is shared. */
  prefix: string
  log: Log
  metrics: Metrics
}

/** Names of settings that are logged at once, of those that this process does not have. */
const mostNames = 10

/** What the keys of settings begin with, for one process or for all. */
export function settingsKey(prefix: string, scope: string): string {
  return `${prefix}config/${scope}/`
}

/**
 * Lets Consul change the settings that may change, for as long as the process runs: `config/<process>/<setting>`, or else
 * `config/all/<setting>`. Resolves when the first attempt to read them was made, within 2 s: a process begins its work with
 * them where Consul answers, and without them where it does not.
 */
export async function followLive({ name, live, consul, prefix, log, metrics }: FollowOptions): Promise<void> {
  if (!consul) return
  const help = 'Values of settings that were refused.'
  const refusals = metrics.counter('config_refused_total', help, ['setting'])
  const gaugeHelp = 'Settings that Consul has values of: those that are in force, and those that are refused.'
  metrics.measured({ config_settings: gaugeHelp }, ['state'], async () =>
    (['applied', 'refused'] as const).map((state) => ({
      labels: { state },
      values: { config_settings: live.counts[state] },
    })),
  )

  const given: { own: ReadonlyMap<string, string>; all: ReadonlyMap<string, string> } = {
    own: new Map(),
    all: new Map(),
  }
  function take(): void {
    const { changed, refused } = live.take(given)
    for (const [setting, value] of changed) {
      if (value === undefined) log.info('a setting is what it was at the start again', { setting })
      else log.info('a setting has changed', { setting, value })
    }
    const [known, unknown] = [refused.filter(({ known }) => known), refused.filter(({ known }) => !known)]
    for (const { setting, reason } of known) {
      refusals.inc({ setting })
      log.warn('a setting is refused, what was in force stands', { setting, reason })
    }
    if (unknown.length === 0) return
    // Their names are anybody's.
    refusals.inc({ setting: 'unknown' }, unknown.length)
    const settings = unknown.slice(0, mostNames).map(({ setting }) => setting.slice(0, 100))
    log.warn('settings are refused that this process does not have', { settings, count: unknown.length })
  }

  const watch = (scope: 'own' | 'all', service: string) =>
    consul.values.watch(settingsKey(prefix, service), (values) => {
      given[scope] = values
      take()
    })
  await Promise.all([watch('own', name), watch('all', everyProcess)])
}
