import { hash, randomUUID } from 'node:crypto'
import { createScript, type Redis } from '../redis.ts'
import type { Sharing } from '../sharing.ts'
import { jittered, type Loaded, type Remembered, type Shelf, type ShelfOptions } from './shelf.ts'

/**
 * An entry is `<version> <generation> <kind> <JSON>`: a value, or that there is none. What is of another generation than the
 * current one counts as nothing.
 *
 * Whoever loads an id has its permit, one for all who load it at once, and it ends when the id is invalidated: what was
 * read before cannot be written after, however late it comes. A permit that Redis dropped, for its time or for want of
 * memory, has ended too, so that no loss of a key can bring back an old value.
 */
const kinds = { value: 'v', absent: 'a' } as const

/** Milliseconds that a load may take, or it is not remembered. */
const permitTime = 60_000
/** Milliseconds after which a load is taken for dead by others who want the same. */
const leaseTime = 1_000

/**
 * Sees to it that there is a generation and, for each id, a permit, and takes the leases that are free. Answers the generation
 * and, for each id, the permit and whether the lease was taken.
 */
const leadScript = createScript(`
  local generation = redis.call('get', KEYS[1])
  if not generation then
    generation = ARGV[1]
    redis.call('set', KEYS[1], generation)
  end
  local answer = {generation}
  for n = 2, #KEYS, 2 do
    local permit = redis.call('get', KEYS[n]) or ARGV[1]
    redis.call('set', KEYS[n], permit, 'PX', ARGV[3])
    answer[n] = permit
    answer[n + 1] = redis.call('set', KEYS[n + 1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
  end
  return answer`)

/** Writes entries of a load that began in a generation and with permits, where those still are, and nothing newer is there. */
const storeScript = createScript(`
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
  local stored = 0
  for n = 2, #KEYS, 2 do
    local permit, version, time, rest = ARGV[2 * n - 2], tonumber(ARGV[2 * n - 1]), ARGV[2 * n], ARGV[2 * n + 1]
    local there = redis.call('get', KEYS[n])
    local newer = there and (tonumber(string.match(there, '^%d+')) or 0) > version
    if redis.call('get', KEYS[n + 1]) == permit and not newer then
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

/** Ends the permit of whoever may have read what is older, and removes that. */
const invalidateScript = createScript(`
  redis.call('del', KEYS[2])
  local there = redis.call('get', KEYS[1])
  if there and (tonumber(string.match(there, '^%d+')) or 0) < tonumber(ARGV[1]) then redis.call('del', KEYS[1]) end`)

/** Remembers in Redis, for all processes. The keys of a cache are in one slot of a cluster. */
export function createRedisShelf<Value extends object>(
  sharing: Sharing,
  { name, time, absentTime, parse }: ShelfOptions<Value>,
): Shelf<Value> & { renew(client: Redis['client']): Promise<unknown> } {
  const generationKey = `cache:{${name}}:generation`
  const keyOf = (id: string) => `cache:{${name}}:${shortened(id)}`
  const permitOf = (id: string) => `${keyOf(id)}:permit`
  const leaseOf = (id: string) => `${keyOf(id)}:lease`

  function toArguments({ version, value }: Loaded<Value>): (string | number)[] {
    return value === undefined
      ? [version, jittered(absentTime), kinds.absent]
      : [version, jittered(time()), `${kinds.value} ${JSON.stringify(value)}`]
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
      const keys = [generationKey, ...ids.flatMap((id) => [permitOf(id), leaseOf(id)])]
      const answer = await sharing.attempt((client) => leadScript(client, keys, [owner, leaseTime, permitTime]))
      if (!Array.isArray(answer)) return undefined
      const [generation = '', ...granted] = answer.map(String)
      const permits = new Map(ids.map((id, index) => [id, granted[2 * index] ?? '']))
      const led = ids.filter((_, index) => granted[2 * index + 1] === '1')
      async function release(): Promise<void> {
        if (led.length > 0) await sharing.attempt((client) => releaseScript(client, led.map(leaseOf), [owner]))
      }
      return {
        ids: led,
        async store(found) {
          const keys = [generationKey, ...found.flatMap(({ id }) => [keyOf(id), permitOf(id)])]
          const values = found.flatMap((loaded) => [permits.get(loaded.id) ?? '', ...toArguments(loaded)])
          await Promise.all([
            sharing.attempt((client) => storeScript(client, keys, [generation, ...values])),
            release(),
          ])
        },
        release,
      }
    },

    async invalidate(id, version) {
      const keys = [keyOf(id), permitOf(id)]
      await sharing.attempt((client) => invalidateScript(client, keys, [version]), { early: true })
    },

    /** Begins a new generation: all that is remembered counts no longer. */
    renew: (client) => client.set(generationKey, randomUUID()),
  }
}

/** An id as a part of a key, of a bounded length, whatever clients send. */
function shortened(id: string): string {
  return /^[\w.-]{1,64}$/.test(id) ? id : `#${hash('sha256', id, 'base64url')}`
}
