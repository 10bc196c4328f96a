export type Status = 'UP' | 'DEGRADED' | 'DOWN'

/** One thing a process depends on. */
export type Dependency = {
  readonly name: string
  /** Rejects when the dependency does not work. */
  readonly check: () => Promise<unknown>
  /** Without it the process is DOWN; without another one it is DEGRADED. */
  readonly required: boolean
}

export type Health = {
  readonly status: Status
  readonly dependencies: Record<string, { status: 'UP' | 'DOWN'; since: string; reason?: string }>
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
  const seen = new Map<string, { up: boolean; since: Date; reason: string }>()
  let timer: NodeJS.Timeout | undefined

  async function round(): Promise<void> {
    const dependencies = dependenciesNow()
    for (const name of seen.keys()) if (!dependencies.some((each) => each.name === name)) seen.delete(name)
    await Promise.all(
      dependencies.map(async ({ name, check }) => {
        const reason = await outcome(check)
        const before = seen.get(name)
        const up = reason === undefined
        if (before?.up !== up) seen.set(name, { up, since: new Date(), reason: reason ?? '' })
      }),
    )
    for (const watcher of watchers) watcher(report())
  }

  function report(): Health {
    const down = dependenciesNow().filter(({ name }) => seen.get(name)?.up === false)
    return {
      status: down.some(({ required }) => required) ? 'DOWN' : down.length > 0 ? 'DEGRADED' : 'UP',
      dependencies: Object.fromEntries(
        [...seen].map(([name, { up, since, reason }]) => [
          name,
          { status: up ? 'UP' : 'DOWN', since: since.toISOString(), ...(up ? {} : { reason }) },
        ]),
      ),
    }
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

async function outcome(check: () => Promise<unknown>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })), patience)
    })
    await Promise.race([check(), late])
    return undefined
  } catch (error) {
    const { code } = error as { code?: unknown }
    return typeof code === 'string' ? code : 'FAILED'
  } finally {
    clearTimeout(timer)
  }
}
