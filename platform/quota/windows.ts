import { LRUCache } from 'lru-cache'

/** How much of a limit is taken, and until when. */
export type Taken = {
  /** False: it would have been more than the limit, and nothing was taken. */
  readonly allowed: boolean
  /** Points taken in the window that is open now. */
  readonly taken: number
  /** Milliseconds until the window ends. */
  readonly left: number
}

export type WindowOptions = { name: string; limit: () => number; seconds: number }

/** A clock that nobody sets. */
const sinceStart = () => performance.now()

/** Keys that a quota counts at the most in one process: some 10 MB. */
const mostKeys = 50_000

/**
 * Counts in the memory of this process. A window begins with the first point taken of a key and ends after `seconds`,
 * whatever is asked meanwhile. When there are too many keys, the one that was asked for the longest ago is counted anew:
 * a flood of addresses loosens limits, and locks nobody out.
 */
export function createWindows({ limit, seconds, now = sinceStart }: WindowOptions & { now?: () => number }) {
  // Made when it is needed: it takes its room at once, and nothing is counted here while Redis is used.
  let kept: LRUCache<string, { taken: number; ends: number }> | undefined
  function all() {
    kept ??= new LRUCache({ max: mostKeys })
    return kept
  }

  function open(key: string) {
    const window = kept?.get(key)
    return window && window.ends > now() ? window : { taken: 0, ends: now() + seconds * 1000 }
  }

  return {
    /** Takes points if there are so many. Gives back where they are negative. */
    take(key: string, points: number): Taken {
      const window = open(key)
      const allowed = window.taken + points <= limit()
      if (allowed) window.taken = Math.max(0, window.taken + points)
      if (window.taken > 0) all().set(key, window)
      return { allowed, taken: window.taken, left: window.ends - now() }
    },
    forget: (key: string): void => void kept?.delete(key),
  }
}
