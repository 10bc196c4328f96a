import { setTimeout as sleep } from 'node:timers/promises'
import { createMemoryShelf } from './cache/memory-shelf.ts'
import type { Lead, Shelf } from './cache/shelf.ts'
import type { Dependency } from './health.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Redis } from './redis.ts'
import { createSharing } from './sharing.ts'

export type CacheOptions<Value extends object> = {
  /** In metrics and in the names of keys. */
  name: string
  /** Reads what exists of the ids from where it is kept, each once and in any order. */
  load: (ids: readonly string[]) => Promise<readonly Value[]>
  idOf: (value: Value) => string
  /** Grows with each change of the value of an id. At least 1. */
  versionOf: (value: Value) => number
  /** Reads a value that was written as JSON. Throws for what it cannot read, which is then loaded anew. Default: as it is. */
  parse?: (value: unknown) => Value
  /**
   * Seconds that a value is remembered at the most, if nothing tells that it changed. Default 600. Read whenever one is
   * remembered, so that it may change; what is remembered already keeps its time. 0 remembers and uses nothing.
   */
  seconds?: () => number
  /** Seconds that is remembered that there is no value. Default 30. */
  absentSeconds?: number
}

/**
 * Values by id, remembered beside where they are kept (cache-aside). Never rejects unless `load` does, and waits for Redis no
 * longer than one command may take.
 */
export type Cache<Value extends object> = {
  /**
   * The values that exist among the ids, in no order. What is not remembered is loaded together; who asks for what somebody
   * is loading already, in this process or another, waits for that.
   *
   * Guarantee: what was committed and invalidated before the call is seen by it. While Redis is away from whoever
   * invalidates, others may see what was before, until it is back or one of them is told by an event.
   */
  getMany(ids: readonly string[]): Promise<Value[]>
  /** Forgets what is older than a version that is committed, and sees to it that no load that began before brings it back. */
  invalidate(id: string, version: number): Promise<void>
}

export type CachesOptions = {
  /** Remembers for all processes together. Absent: each for itself, which serves one process only. */
  redis?: Redis | undefined
  log: Log
  metrics?: Metrics
}

/** Milliseconds that one waits for a load of another process, before one loads by oneself; and at the most between looks. */
const longestWait = 1_000
const longestPause = 25

/** Caches over one store. While Redis fails or is slow, everything is loaded from where it is kept. */
export async function createCaches({ redis, log, metrics }: CachesOptions) {
  const requests = metrics?.counter('cache_requests_total', 'Ids that a cache was asked for.', ['cache', 'result'])
  const shared = metrics?.gauge('cache_shared', '1 while Redis remembers for all processes, 0 while nothing does.')
  const remotes = redis && (await createRemotes(redis))

  async function createRemotes(redis: Redis) {
    const { createRedisShelf } = await import('./cache/redis-shelf.ts')
    const renewals: ((client: Redis['client']) => Promise<unknown>)[] = []
    // After an interruption nothing that Redis remembers can be trusted: what changed meanwhile was not forgotten.
    let interrupted = false
    shared?.set(1)
    const sharing = await createSharing({
      redis,
      async begin() {
        await redis.check()
        if (interrupted) await Promise.all(renewals.map((renew) => redis.ask(renew)))
      },
      onChange(now, error) {
        if (now) log.info('the cache is used again')
        else log.warn('the cache is not used', { error })
        interrupted = !now
        shared?.set(now ? 1 : 0)
      },
    })
    return {
      sharing,
      shelf<Value extends object>(options: Parameters<typeof createRedisShelf<Value>>[1]): Shelf<Value> {
        const shelf = createRedisShelf(sharing, options)
        renewals.push(shelf.renew)
        // Nor can what is there at the start: whoever changed something and could not tell of it may have died since.
        void sharing.attempt(shelf.renew)
        return shelf
      },
    }
  }

  function cache<Value extends object>(options: CacheOptions<Value>): Cache<Value> {
    const { name, load, idOf, versionOf, parse = (value) => value as Value } = options
    const { seconds = () => 600, absentSeconds = 30 } = options
    const shelfOptions = { name, time: () => seconds() * 1000, absentTime: absentSeconds * 1000, parse }
    const shelf = remotes ? remotes.shelf<Value>(shelfOptions) : createMemoryShelf<Value>(shelfOptions)
    const readThrough = createReadThrough({ load, idOf })
    /** The loads of this process that are under way, by id. */
    const flights = new Map<string, Promise<unknown>>()
    const count = (result: 'hit' | 'absent' | 'shared' | 'miss' | 'bypass', ids = 1) =>
      requests?.inc({ cache: name, result }, ids)

    /** Loads those of the ids that nobody else does, or all where one has waited enough, and remembers them. */
    async function loadLed(lead: Lead<Value>, ids: readonly string[]): Promise<Map<string, Value>> {
      let values: Map<string, Value>
      try {
        values = new Map((await load(ids)).map((value) => [idOf(value), value]))
      } catch (error) {
        await lead.release()
        throw error
      }
      const found = ids.map((id) => {
        const value = values.get(id)
        return { id, version: value ? versionOf(value) : 0, value }
      })
      await lead.store(found)
      return values
    }

    /** Leads the load of ids. Answers which it loaded, and their values; undefined when the shelf cannot be used. */
    async function lead(ids: readonly string[], patient: boolean) {
      const lead = await shelf.lead(ids)
      if (!lead) return undefined
      const mine = patient ? lead.ids : ids
      if (mine.length > 0) return { ids: mine, values: await loadLed(lead, mine) }
      await sleep(longestPause * Math.random())
      return { ids: mine, values: new Map<string, Value>() }
    }

    /** Leads a load for which others of this process can wait. */
    function fly(ids: readonly string[], patient: boolean): ReturnType<typeof lead> {
      const flight = lead(ids, patient).finally(() => {
        for (const id of ids) flights.delete(id)
      })
      for (const id of ids) flights.set(id, flight)
      return flight
    }

    return {
      async getMany(ids) {
        const found: Value[] = []
        const deadline = Date.now() + longestWait
        let missing = [...new Set(ids)]
        for (let waited = false; missing.length > 0 && seconds() > 0; waited = true) {
          const remembered = await shelf.read(missing)
          if (!remembered) break
          missing = missing.filter((_, index) => {
            const entry = remembered[index]
            if (!entry) return true
            count(waited ? 'shared' : entry.value ? 'hit' : 'absent')
            if (entry.value) found.push(entry.value)
            return false
          })
          const free = missing.filter((id) => !flights.has(id))
          const flying = new Set(missing.flatMap((id) => flights.get(id) ?? []))
          const [led] = await Promise.all([free.length > 0 && fly(free, Date.now() < deadline), ...flying])
          if (led === undefined) break
          if (led) {
            count('miss', led.ids.length)
            found.push(...led.values.values())
            const mine = new Set(led.ids)
            missing = missing.filter((id) => !mine.has(id))
          }
        }
        if (missing.length === 0) return found
        count('bypass', missing.length)
        return [...found, ...(await readThrough(missing))]
      },
      invalidate: (id, version) => shelf.invalidate(id, version),
    }
  }

  /** What the process can do without for a while. */
  const dependencies: Dependency[] = remotes ? [{ name: 'redis', check: remotes.sharing.check, required: false }] : []
  return { cache, dependencies }
}

export type Caches = Awaited<ReturnType<typeof createCaches>>

/**
 * Loads without remembering. Of an id there is one load at a time: who comes while it is under way waits for the next one,
 * which sees all that was committed before they came.
 */
function createReadThrough<Value extends object>({ load, idOf }: Pick<CacheOptions<Value>, 'load' | 'idOf'>) {
  type Flight = { readonly begin: number; readonly values: Promise<Map<string, Value>> }
  const flights = new Map<string, Flight>()
  let clock = 0

  function start(ids: readonly string[]): void {
    const values = load(ids).then((found) => new Map(found.map((value) => [idOf(value), value])))
    const flight: Flight = { begin: ++clock, values }
    for (const id of ids) flights.set(id, flight)
    const end = () => ids.forEach((id) => void flights.delete(id))
    values.then(end, end)
  }

  return async function readThrough(ids: readonly string[]): Promise<Value[]> {
    const arrival = ++clock
    const found: Value[] = []
    let missing = ids
    while (missing.length > 0) {
      const free = missing.filter((id) => !flights.has(id))
      if (free.length > 0) start(free)
      const late: string[] = []
      await Promise.all(
        missing.map(async (id) => {
          const flight = flights.get(id)
          const values = await flight?.values
          const value = values?.get(id)
          if (!flight || flight.begin < arrival) late.push(id)
          else if (value) found.push(value)
        }),
      )
      missing = late
    }
    return found
  }
}
