import type { Redis } from './redis.ts'

/** Milliseconds after a failure until Redis is tried again. */
const suspension = 1_000

export type SharingOptions = {
  redis: Redis
  /** Comes before all use, and again before the use after each interruption. Rejects: not yet. Default: the server answers. */
  begin?: () => Promise<unknown>
  /** Told when use ends, and when it is taken up again. */
  onChange: (shared: boolean, error?: unknown) => void
}

/**
 * The use of Redis for as long as it answers. It ends with a command that fails or is not answered in time, and with a lost
 * connection. From then on nobody waits for it: it is tried in the background each second, and as soon as there is a new
 * connection. Waits for the first trial, and rejects never.
 */
export async function createSharing({ redis, begin = redis.check, onChange }: SharingOptions) {
  let used = true
  let losses = 0
  let trial: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  function end(error: unknown): void {
    losses += 1
    tryLater()
    if (!used) return
    used = false
    onChange(false, error)
  }

  function tryLater(): void {
    if (redis.closed) return
    timer ??= setTimeout(tryNow, suspension).unref()
  }

  function tryNow(): void {
    resume().catch(() => {})
  }

  /** Rejects when use does not begin. */
  function resume(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    trial ??= tryOnce().finally(() => {
      trial = undefined
    })
    return trial
  }

  async function tryOnce(): Promise<void> {
    const before = losses
    try {
      await begin()
    } catch (error) {
      end(error)
      throw error
    }
    if (losses !== before) {
      tryLater()
      throw new Error('Redis was lost again.')
    }
    if (used) return
    used = true
    onChange(true)
  }

  redis.watch((connected) => (connected ? tryNow() : end(new Error('The connection to Redis was lost.'))))
  await resume().catch(() => {})

  return {
    get isUsed() {
      return used
    },
    /**
     * Undefined when Redis is left alone, or fails. `early`: is also asked while a beginning is not answered yet, and ends it
     * by failing.
     */
    async attempt<T>(command: Parameters<typeof redis.ask<T>>[0], { early = false } = {}): Promise<T | undefined> {
      if (!used && !(early && trial)) return undefined
      try {
        return await redis.ask(command)
      } catch (error) {
        end(error)
        return undefined
      }
    },
    /** Asks Redis, whether it is left alone or not. Rejects when it does not answer. */
    async check(): Promise<void> {
      if (!used) return resume()
      try {
        await redis.check()
      } catch (error) {
        end(error)
        throw error
      }
    },
  }
}

export type Sharing = Awaited<ReturnType<typeof createSharing>>
