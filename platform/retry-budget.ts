export type RetryBudgetOptions = {
  /** Retries for each call, in the long run. Default 0.1. */
  ratio?: number
  /** Retries a second that there are besides, so that those who call seldom may retry at all. Default 1. */
  floor?: number
  /** Retries that can be saved up for a bad moment. Default 100. */
  capacity?: number
  /** Milliseconds on a clock that never goes back. */
  now?: () => number
}

/** Retries that a new budget has. */
const firstRetries = 10

/**
 * A bound on retries: when all calls fail, those who are called get a tenth more of them and not twice as many, which would
 * keep down what is about to come back. A token bucket, filled by calls and by time.
 */
export function createRetryBudget(options: RetryBudgetOptions = {}) {
  const { ratio = 0.1, floor = 1, capacity = 100, now = () => performance.now() } = options
  let tokens = Math.min(firstRetries, capacity)
  let filled = now()

  function fill(amount: number): void {
    tokens = Math.min(capacity, tokens + amount)
  }

  return {
    /** Counts a call. */
    onCall(): void {
      fill(ratio)
    },
    /** Takes one retry. False when there is none left: then the failure stands. */
    take(): boolean {
      const time = now()
      fill(((time - filled) / 1_000) * floor)
      filled = time
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
