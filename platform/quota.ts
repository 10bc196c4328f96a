import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Dependency } from './health.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { createWindows, type Taken, type WindowOptions } from './quota/windows.ts'
import type { Redis } from './redis.ts'
import { createSharing } from './sharing.ts'

export type Charge = {
  /** False: nothing was taken, since it would have been too much. */
  readonly allowed: boolean
  /** Points that are left in the window. */
  readonly remaining: number
  /** Points of a whole window. */
  readonly limit: number
  /** Whole seconds until the window ends, at least 1. */
  readonly resetSeconds: number
}

export type QuotaOptions = {
  /** In metrics and in the names of keys. */
  name: string
  /** Points of a window, for each key. Read at each charge, so that they may change; what was taken stays taken. */
  points: () => number
  /** Seconds that a window lasts from the first charge. */
  seconds: number
}

/** How much of something each key may have in a window of time. Never rejects, and never waits longer than Redis may. */
export type Quota = {
  /**
   * Takes whole points of a key's window, 1 unless told; 0 only looks. What would exceed the window is refused, takes nothing
   * and does not prolong it. A key is any text: what is kept of it is a hash.
   */
  charge(key: string, points?: number): Promise<Charge>
  /** What one key has, for those who ask for it more than once. */
  of(key: string): Account
  /** Takes a charge back, 1 point unless told. */
  giveBack(key: string, points?: number): Promise<void>
  /** Begins anew for a key. */
  forget(key: string): Promise<void>
}

/** What one key has of a quota. */
export type Account = {
  /** Takes whole points, as a quota does. */
  charge(points?: number): Promise<Charge>
  /** The refusal where nothing is left, as far as this process knows without asking. */
  spent(): Charge | undefined
}

export type QuotasOptions = {
  /** Counts for all processes together. Absent: each counts for itself. */
  redis?: Redis | undefined
  log: Log
  metrics?: Metrics
}

/** Keys that are remembered as spent without asking Redis, and for how many milliseconds. Another process may forget one. */
const mostSpent = 10_000
const spentMemory = 1_000

/**
 * Quotas over one store. While Redis fails or is slow each process counts for itself, from nothing and with the same
 * limits: no charge waits for Redis then, and nobody is refused for it.
 */
export async function createQuotas({ redis, log, metrics }: QuotasOptions) {
  const refused = metrics?.counter('rate_limited_total', 'Charges that a quota refused.', ['quota'])
  const shared = metrics?.gauge('rate_limits_shared', '1 while quotas are counted in Redis, 0 while in each process.')
  shared?.set(redis ? 1 : 0)
  const remotes = redis && (await createRemotes(redis))

  async function createRemotes(redis: Redis) {
    const { createRedisWindows } = await import('./quota/redis-windows.ts')
    const sharing = await createSharing({ redis, onChange: tell })
    /** A quota's windows in Redis. Answers undefined where this process has to count for itself. */
    function windows(options: WindowOptions) {
      const windows = createRedisWindows(redis, options)
      return {
        take: (key: string, points: number) => sharing.attempt(() => windows.take(key, points)),
        forget: (key: string) => sharing.attempt(() => windows.forget(key)),
      }
    }
    return { sharing, windows }
  }

  function tell(now: boolean, error?: unknown): void {
    if (now) log.info('quotas are shared again')
    else log.warn('quotas are counted in each process', { error })
    shared?.set(now ? 1 : 0)
  }

  function quota({ name, points: limit, seconds }: QuotaOptions): Quota {
    refused?.inc({ quota: name }, 0)
    const options: WindowOptions = { name, limit, seconds }
    const local = createWindows(options)
    const remote = remotes?.windows(options)
    const spent = new LRUCache<string, Taken>({ max: mostSpent, ttl: spentMemory })

    function toCharge({ allowed, taken, left }: Taken): Charge {
      const resetSeconds = Math.max(1, Math.ceil(left / 1000))
      return { allowed, remaining: Math.max(0, limit() - taken), limit: limit(), resetSeconds }
    }

    const stillSpent = (window: Taken | undefined) => (window && window.taken >= limit() ? window : undefined)

    /** Without asking Redis. */
    function known(id: string): Taken | undefined {
      if (remotes?.sharing.isUsed) return stillSpent(spent.get(id))
      const window = local.take(id, 0)
      return window.taken >= limit() ? { ...window, allowed: false } : undefined
    }

    async function take(id: string, points: number): Promise<Taken> {
      const window = (await remote?.take(id, points)) ?? local.take(id, points)
      if (window.taken >= limit()) spent.set(id, { ...window, allowed: false })
      return window
    }

    async function charge(id: string, points = 1): Promise<Charge> {
      if (!Number.isSafeInteger(points) || points < 0) throw new RangeError(`${points} points cannot be charged.`)
      const taken = (points > 0 && known(id)) || (await take(id, points))
      if (!taken.allowed) refused?.inc({ quota: name })
      return toCharge(taken)
    }

    return {
      charge: (key, points) => charge(idOf(key), points),
      of(key) {
        const id = idOf(key)
        return {
          charge: (points) => charge(id, points),
          spent() {
            const taken = known(id)
            return taken && toCharge(taken)
          },
        }
      },
      async giveBack(key, points = 1) {
        const id = idOf(key)
        spent.delete(id)
        await ((await remote?.take(id, -points)) ?? local.take(id, -points))
      },
      async forget(key) {
        const id = idOf(key)
        spent.delete(id)
        local.forget(id)
        await remote?.forget(id)
      },
    }
  }

  /** What the process can do without for a while. */
  const dependencies: Dependency[] = remotes ? [{ name: 'redis', check: remotes.sharing.check, required: false }] : []
  return { quota, dependencies }
}

export type Quotas = Awaited<ReturnType<typeof createQuotas>>

/** Of a length of its own, and nothing that anyone could read an e-mail address from. */
function idOf(key: string): string {
  return hash('sha256', key, 'base64url').slice(0, 22)
}
