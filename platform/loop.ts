import type { Log } from './log.ts'

export type LoopOptions = {
  name: string
  /** One turn. Returns true when there is more to do at once. */
  work: () => Promise<boolean>
  /** Milliseconds between turns when there is nothing more to do and nobody wakes the loop. */
  interval: number
  /**
   * Milliseconds between the beginnings of two turns, unless there is more to do at once. A turn that comes after a rest as long
   * is not delayed; under load each does what has come meanwhile. Default 0.
   */
  spacing?: number
  log: Log
}

/** Milliseconds to pause after a turn that failed; doubled for each failure that follows. */
const firstPause = 100
const longestPause = 10_000

/**
 * Work that a process does again and again in the background. A turn that fails is logged and followed by a pause that
 * grows with each failure; nothing ends the loop but `stop`.
 */
export function createLoop({ name, work, interval, spacing = 0, log }: LoopOptions) {
  let stopping = false
  let woken = false
  let resume = () => {}
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping) {
      woken = false
      const begun = performance.now()
      try {
        const more = await work()
        failures = 0
        if (more) continue
        await rest(interval)
        await rest(begun + spacing - performance.now(), { endsWhenWoken: false })
      } catch (error) {
        if (stopping) return
        const pause = Math.min(longestPause, firstPause * 2 ** failures++)
        log.warn('turn failed', { loop: name, pause, error })
        woken = false
        await rest(pause)
      }
    }
  }

  function rest(milliseconds: number, { endsWhenWoken } = { endsWhenWoken: true }): Promise<void> {
    const isOver = () => stopping || (endsWhenWoken && woken)
    if (milliseconds <= 0 || isOver()) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      resume = () => {
        if (!isOver()) return
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    get stopping() {
      return stopping
    },
    start(): void {
      running ??= run()
    },
    /** Begins the next turn as soon as it may. A call during a turn is not lost. */
    wake(): void {
      woken = true
      resume()
    },
    /** Finishes the turn at hand. */
    async stop(): Promise<void> {
      stopping = true
      resume()
      await running
    },
  }
}
