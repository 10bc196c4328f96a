import { hash, randomUUID } from 'node:crypto'
import { createScript, type Redis } from '../redis.ts'
import type { Sharing } from '../sharing.ts'
import { jittered, type Loaded, type Remembered, type Shelf, type ShelfOptions } from './shelf.ts'

/**
 * An entry is `<version> <generation> <kind> <JSON>`: a value, that there is none, or a tombstone, which says that whatever
 * is older than its version must not be remembered. What is of another generation than the current one counts as nothing,
 * but for its version.
 */
const kinds = { value: 'v', absent: 'a', tombstone: 't' } as const

/** Milliseconds that a tombstone stands: longer than any load may take. */
const tombstoneTime = 60_000
/** Milliseconds after which a load is taken for dead by others who want the same. */
const leaseTime = 1_000

/** Sees to it that there is a generation, and takes the leases of those keys that are free. Answers the generation and which. */
const leadScript = createScript(`
  local generation = redis.call('get', KEYS[1])
  if not generation then
    generation = ARGV[1]
    redis.call('set', KEYS[1], generation)
  end
  local answer = {generation}
  for n = 2, #KEYS do
    answer[n] = redis.call('set', KEYS[n], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
  end
  return answer`)

/** Writes entries of a load that began in a generation, where that is still the current one and nothing newer is known. */
const storeScript = createScript(`
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
  local stored = 0
  for n = 2, #KEYS do
    local version, time, rest = tonumber(ARGV[3 * n - 4]), ARGV[3 * n - 3], ARGV[3 * n - 2]
    local there = redis.call('get', KEYS[n])
    if not there or tonumber(string.match(there, '^%d+')) <= version then
      redis.call('set', KEYS[n], version .. ' ' .. ARGV[1] .. ' ' .. rest, 'PX', time)
      stored = stored + 1
    end
  end
  return stored`)

/** Ends leases that are still those of their holder. */
const releaseScript = createScript(`
  for n = 1, #KEYS do
    if redis.call('get', KEYS[n]) == ARGV[1] then redis.call('del', KEYS[n]) end
  end`)

/** Puts a tombstone in the place of what is older. */
const invalidateScript = createScript(`
  local there = redis.call('get', KEYS[2])
  if there and tonumber(string.match(there, '^%d+')) >= tonumber(ARGV[1]) then return 0 end
  local generation = redis.call('get', KEYS[1]) or '-'
  redis.call('set', KEYS[2], ARGV[1] .. ' ' .. generation .. ' ${kinds.tombstone}', 'PX', ARGV[2])
  return 1`)

/** Remembers in Redis, for all processes. The keys of a cache are in one slot of a cluster. */
export function createRedisShelf<Value extends object>(
  sharing: Sharing,
  { name, time, absentTime, parse }: ShelfOptions<Value>,
): Shelf<Value> & { renew(client: Redis['client']): Promise<unknown> } {
  const generationKey = `cache:{${name}}:generation`
  const keyOf = (id: string) => `cache:{${name}}:${shortened(id)}`
  const leaseOf = (id: string) => `${keyOf(id)}:lease`

  function toArguments({ version, value }: Loaded<Value>): (string | number)[] {
    return value === undefined
      ? [version, jittered(absentTime), kinds.absent]
      : [version, jittered(time), `${kinds.value} ${JSON.stringify(value)}`]
  }

  function toRemembered(entry: string | null | undefined, generation: string): Remembered<Value> | undefined {
    const [, of, kind, json = ''] = /^\d+ (\S+) (\w)(?: (.*))?$/s.exec(entry ?? '') ?? []
    if (of !== generation) return undefined
    if (kind === kinds.absent) return { value: undefined }
    if (kind !== kinds.value) return undefined
    try {
      return { value: parse(JSON.parse(json)) }
    } catch {
      // Of another build, or damaged: it is loaded again.
      return undefined
    }
  }

  return {
    async read(ids) {
      const answer = await sharing.attempt((client) => client.mget(generationKey, ...ids.map(keyOf)))
      if (!answer) return undefined
      const [generation, ...entries] = answer
      return ids.map((_, index) => (generation ? toRemembered(entries[index], generation) : undefined))
    },

    async lead(ids) {
      const owner = randomUUID()
      const keys = [generationKey, ...ids.map(leaseOf)]
      const answer = await sharing.attempt((client) => leadScript(client, keys, [owner, leaseTime]))
      if (!Array.isArray(answer)) return undefined
      const [generation, ...taken] = answer as [string, ...number[]]
      const led = ids.filter((_, index) => taken[index] === 1)
      async function release(): Promise<void> {
        if (led.length > 0) await sharing.attempt((client) => releaseScript(client, led.map(leaseOf), [owner]))
      }
      return {
        ids: led,
        async store(found) {
          const keys = [generationKey, ...found.map(({ id }) => keyOf(id))]
          const values = [generation, ...found.flatMap(toArguments)]
          await Promise.all([sharing.attempt((client) => storeScript(client, keys, values)), release()])
        },
        release,
      }
    },

    async invalidate(id, version) {
      const keys = [generationKey, keyOf(id)]
      await sharing.attempt((client) => invalidateScript(client, keys, [version, tombstoneTime]), { early: true })
    },

    /** Begins a new generation: all that is remembered counts no longer. */
    renew: (client) => client.set(generationKey, randomUUID()),
  }
}

/** An id as a part of a key, of a bounded length, whatever clients send. */
function shortened(id: string): string {
  return /^[\w.-]{1,64}$/.test(id) ? id : `#${hash('sha256', id, 'base64url')}`
}
