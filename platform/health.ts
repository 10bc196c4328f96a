export type Status = 'UP' | 'DEGRADED' | 'DOWN'

/** One thing a process depends on. */
export type Dependency = {
  readonly name: string
  /** Rejects when the dependency does not work, with `Degraded` when it works and something is wrong with it. */
  readonly check: () => Promise<unknown>
  /** Without it the process is DOWN; without another one it is DEGRADED. */
  readonly required: boolean
}

/** A dependency works, but not as it should. `code` is what the report gives as the reason. */
export class Degraded extends Error {
  override readonly name = 'Degraded'
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** What was last seen of a dependency. */
export type Seen = {
  readonly status: Status
  /** When it came to have this status, ISO 8601. */
  readonly since: string
  /** When it was last checked, ISO 8601, and the milliseconds that this took. */
  readonly checkedAt: string
  readonly latencyMs: number
  /** Why it is not UP: an error's code. */
  readonly reason?: string
}

export type Health = {
  readonly status: Status
  readonly dependencies: Record<string, Seen>
}

/** Milliseconds between two rounds of checks, and the longest that one check may take. */
const interval = 2_000
const patience = 1_500

/**
 * Checks the dependencies in the background, so that a probe costs nothing, and reports what was last seen.
 * Reasons name what failed by the error's code, never by its text, since texts hold addresses.
 */
export function createHealth(given: readonly Dependency[] | (() => readonly Dependency[])) {
  /** They may change while the process runs: what is no longer depended on is no longer told. */
  const dependenciesNow = typeof given === 'function' ? given : () => given
  const watchers: ((health: Health) => void)[] = []
  const seen = new Map<string, Seen>()
  let timer: NodeJS.Timeout | undefined

  async function look({ name, check }: Dependency): Promise<void> {
    const started = performance.now()
    const outcome = await outcomeOf(check)
    const checkedAt = new Date().toISOString()
    const latencyMs = Math.round(10 * (performance.now() - started)) / 10
    const before = seen.get(name)
    const since = before?.status === outcome.status ? before.since : checkedAt
    seen.set(name, { ...outcome, since, checkedAt, latencyMs })
  }

  async function round(): Promise<void> {
    const dependencies = dependenciesNow()
    for (const name of seen.keys()) if (!dependencies.some((each) => each.name === name)) seen.delete(name)
    await Promise.all(dependencies.map(look))
    for (const watcher of watchers) watcher(report())
  }

  function report(): Health {
    const down = dependenciesNow().some(({ name, required }) => required && seen.get(name)?.status === 'DOWN')
    const allUp = [...seen.values()].every(({ status }) => status === 'UP')
    return { status: down ? 'DOWN' : allUp ? 'UP' : 'DEGRADED', dependencies: Object.fromEntries(seen) }
  }

  return {
    /** Makes the first round and starts the next ones. */
    async start(): Promise<void> {
      await round()
      timer = setInterval(() => void round(), interval)
      timer.unref()
    },
    stop(): void {
      clearInterval(timer)
    },
    report,
    /** Told of each round from now on. */
    watch: (watcher: (health: Health) => void): void => void watchers.push(watcher),
  }
}

export type HealthMonitor = ReturnType<typeof createHealth>

async function outcomeOf(check: () => Promise<unknown>): Promise<Pick<Seen, 'status' | 'reason'>> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })), patience)
    })
    await Promise.race([check(), late])
    return { status: 'UP' }
  } catch (error) {
    const { code } = error as { code?: unknown }
    const reason = typeof code === 'string' ? code : 'FAILED'
    return { status: error instanceof Degraded ? 'DEGRADED' : 'DOWN', reason }
  } finally {
    clearTimeout(timer)
  }
}
