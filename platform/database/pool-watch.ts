import type { Log } from '../log.ts'
import type { PoolUsage } from './pool.ts'

/** Milliseconds between looks at a pool, and how many of them are judged together: three seconds' worth. */
const interval = 250
const looks = 12
/** Per cent of a pool's connections in use from which on it is nearly used up, and below which it has room again. */
const high = 80
const low = 60

/**
 * Judges a pool by its mean use over the last looks: one burst does not use it up, nor does one lull give it room again.
 * Returns what takes the next look, and says whether the pool is nearly used up.
 */
export function createJudge(): (usage: Pick<PoolUsage, 'used' | 'max'>) => boolean {
  const seen: number[] = []
  let nearlyUsedUp = false
  return ({ used, max }) => {
    seen.push(used)
    if (seen.length > looks) seen.shift()
    const sum = seen.reduce((all, each) => all + each, 0)
    if (seen.length === looks) nearlyUsedUp = 100 * sum >= (nearlyUsedUp ? low : high) * max * looks
    return nearlyUsedUp
  }
}

export type PoolWatchOptions = { name: string; usage: () => PoolUsage; log: Log }

/**
 * Watches a pool and says in the log once that it is nearly used up, and once that it has room again.
 *
 * Guarantee: a pool of which 80 % and more are in use is noticed within 4 s.
 */
export function watchPool({ name, usage, log }: PoolWatchOptions) {
  const judge = createJudge()
  let nearlyUsedUp = false
  const timer = setInterval(() => {
    const { used, waiting, max } = usage()
    const before = nearlyUsedUp
    nearlyUsedUp = judge({ used, max })
    if (nearlyUsedUp === before) return
    if (nearlyUsedUp) log.warn('database pool nearly used up', { pool: name, used, waiting, max })
    else log.info('database pool has room again', { pool: name, used, waiting, max })
  }, interval)
  timer.unref()
  return {
    get nearlyUsedUp(): boolean {
      return nearlyUsedUp
    },
    stop: (): void => clearInterval(timer),
  }
}
