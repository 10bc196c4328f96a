import type { Log } from '../log.ts'
import type { Redis } from '../redis.ts'
import type { Taken, WindowOptions } from './windows.ts'

/** Milliseconds after a failure until Redis is tried again. */
const suspension = 1_000

export type SharingOptions = {
  redis: Redis
  log: Log
  /** Told when counting becomes shared, and when it ends. */
  onChange: (shared: boolean) => void
}

/**
 * Counting in Redis as long as it answers. After a failure it is left alone for a second; then one caller tries it, while
 * the others go on without.
 */
export async function createSharing({ redis, log, onChange }: SharingOptions) {
  const { createRedisWindows } = await import('./redis-windows.ts')
  let used = true
  let trying = false
  let tryAt = 0

  function change(shared: boolean, error?: unknown): void {
    if (!shared) tryAt = performance.now() + suspension
    if (used === shared) return
    used = shared
    if (shared) log.info('quotas are shared again')
    else log.warn('quotas are counted in each process', { error })
    onChange(shared)
  }

  /** Undefined when Redis is left alone, or fails. */
  async function attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (!used && (trying || performance.now() < tryAt)) return undefined
    const alone = !used
    if (alone) trying = true
    try {
      const answer = await redis.ask(ask)
      change(true)
      return answer
    } catch (error) {
      change(false, error)
      return undefined
    } finally {
      if (alone) trying = false
    }
  }

  return {
    /** A quota's windows in Redis. Answers undefined where this process has to count for itself. */
    windows(options: WindowOptions) {
      const windows = createRedisWindows(redis, options)
      return {
        get isUsed() {
          return used
        },
        take: (key: string, points: number): Promise<Taken | undefined> => attempt(() => windows.take(key, points)),
        forget: (key: string): Promise<unknown> => attempt(() => windows.forget(key)),
      }
    },
    /** Asks Redis, whether it is left alone or not. Rejects when it does not answer. */
    async check(): Promise<void> {
      try {
        await redis.check()
        change(true)
      } catch (error) {
        change(false, error)
        throw error
      }
    },
  }
}
