import { ServiceError } from '#platform/errors.ts'

export type GateOptions = {
  /** How many tasks run at once. */
  size: number
  /** Milliseconds that a task waits for its turn. */
  wait: number
}

/** Seconds after which a refused caller may try again. */
const retryAfter = 1

/** Lets a bounded number of tasks run at once. The others take turns, and are refused with OVERLOADED when theirs is late. */
export function createGate({ size, wait }: GateOptions) {
  let free = size
  const waiting = new Set<() => void>()

  function enter(): Promise<void> {
    if (free > 0) {
      free -= 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(late)
        resolve()
      }
      const late = setTimeout(() => {
        waiting.delete(admit)
        reject(new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: 'users', retryAfter }))
      }, wait)
      waiting.add(admit)
    })
  }

  function leave(): void {
    const [next] = waiting
    if (!next) free += 1
    else {
      waiting.delete(next)
      next()
    }
  }

  return async function pass<T>(task: () => Promise<T>): Promise<T> {
    await enter()
    try {
      return await task()
    } finally {
      leave()
    }
  }
}
