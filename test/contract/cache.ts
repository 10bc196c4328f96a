import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Cache, CacheOptions, Caches } from '#platform/cache.ts'
import { createMetrics } from '#platform/metrics.ts'
import { seededRandom } from '../infra/random.ts'
import { waitFor } from '../infra/wait.ts'

export type CachesUnderTest = {
  name: string
  /** Why they cannot be tested here. */
  skip?: string | false
  /** Two of those who share what they remember: one and the same where it is the process that remembers. */
  open: (
    metrics: ReturnType<typeof createMetrics>,
  ) => Promise<{ one: Caches; other: Caches; close: () => Promise<void> }>
}

export type Thing = { readonly id: string; readonly version: number }

/** Where things are kept, as a database would: a read sees what is committed when it begins, and answers when it likes. */
export function createThings({ answer = async () => {} }: { answer?: () => Promise<void> } = {}) {
  const versions = new Map<string, number>()
  const loads: string[][] = []
  return {
    loads,
    write(id: string): number {
      const version = (versions.get(id) ?? 0) + 1
      versions.set(id, version)
      return version
    },
    versionOf: (id: string): number => versions.get(id) ?? 0,
    async load(ids: readonly string[]): Promise<Thing[]> {
      loads.push([...ids])
      const found = ids.flatMap((id) => (versions.has(id) ? [{ id, version: versions.get(id) ?? 0 }] : []))
      await answer()
      return found
    },
  }
}

type Things = ReturnType<typeof createThings>

/** A read that has begun, and answers when it is told to. */
function createGate() {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const { promise: open, resolve: release } = Promise.withResolvers<void>()
  let first = true
  const answer = async () => {
    if (!first) return
    first = false
    begin()
    await open
  }
  return { begun, release, answer }
}

/** What caches promise (platform/cache.ts), as tests. */
export function cacheContract({ name, skip = false, open }: CachesUnderTest): void {
  describe(`caches in ${name}`, { skip }, () => {
    const metrics = createMetrics({ service: 'test' })
    let opened: Awaited<ReturnType<typeof open>>
    before(async () => {
      opened = await open(metrics)
    })
    after(() => opened.close())

    /** The same cache in both. */
    function caches(
      { load }: Pick<Things, 'load'>,
      options: Pick<CacheOptions<Thing>, 'seconds' | 'absentSeconds'> = {},
    ) {
      const common = { ...options, name: randomUUID(), load }
      const create = ({ cache }: Caches) =>
        cache<Thing>({ ...common, idOf: ({ id }) => id, versionOf: ({ version }) => version })
      const one = create(opened.one)
      return { one, other: opened.other === opened.one ? one : create(opened.other) }
    }
    const versionIn = async (cache: Cache<Thing>, id: string) => (await cache.getMany([id]))[0]?.version

    test('what was loaded is remembered, and that there is nothing too', async () => {
      const things = createThings()
      const { one, other } = caches(things)
      things.write('a')
      for (const cache of [one, other, one]) {
        assert.deepEqual(await cache.getMany(['a', 'none']), [{ id: 'a', version: 1 }])
      }
      assert.deepEqual(things.loads, [['a', 'none']])
    })

    test('what is missing of many is loaded together, and an id that is asked for twice once', async () => {
      const things = createThings()
      const { one } = caches(things)
      const ids = Array.from({ length: 100 }, (_, n) => `thing ${n}`)
      for (const id of ids) things.write(id)
      await one.getMany(ids.slice(0, 30))
      const found = await one.getMany([...ids, ...ids])
      assert.deepEqual(found.map(({ id }) => id).sort(), [...ids].sort())
      assert.deepEqual(
        things.loads.map(({ length }) => length),
        [30, 70],
      )
      assert.deepEqual(await one.getMany([]), [])
    })

    test('500 cold reads of one thing at once are one load', async () => {
      const gate = createGate()
      const things = createThings(gate)
      const { one, other } = caches(things)
      things.write('a')
      const reads = Array.from({ length: 500 }, (_, n) => versionIn(n % 2 ? one : other, 'a'))
      await gate.begun
      gate.release()
      assert.deepEqual(new Set(await Promise.all(reads)), new Set([1]))
      assert.equal(things.loads.length, 1)
    })

    test('who reads after a change was invalidated sees it, whatever is still being loaded', async () => {
      const gate = createGate()
      const things = createThings(gate)
      const { one, other } = caches(things)
      things.write('a')
      const slow = versionIn(one, 'a')
      await gate.begun
      await other.invalidate('a', things.write('a'))
      const reads = [one, other].map((cache) => versionIn(cache, 'a'))
      gate.release()
      assert.deepEqual(await Promise.all(reads), [2, 2])
      await slow
      assert.deepEqual(await Promise.all([one, other].map((cache) => versionIn(cache, 'a'))), [2, 2])
    })

    test('a slow load does not bring back what was before, nor that there was nothing', async () => {
      const gate = createGate()
      const things = createThings(gate)
      const { one, other } = caches(things)
      const slow = one.getMany(['new'])
      await gate.begun
      await other.invalidate('new', things.write('new'))
      gate.release()
      await slow
      for (const cache of [one, other]) assert.equal(await versionIn(cache, 'new'), 1)
    })

    test('an invalidation that comes late leaves what is newer', async () => {
      const things = createThings()
      const { one, other } = caches(things)
      things.write('a')
      await one.invalidate('a', things.write('a'))
      assert.equal(await versionIn(one, 'a'), 2)
      await other.invalidate('a', 1)
      await other.invalidate('a', 2)
      assert.equal(await versionIn(one, 'a'), 2)
      assert.equal(things.loads.length, 1)
    })

    test('a load that fails fails its readers, is not remembered, and keeps nobody waiting', async () => {
      const things = createThings()
      let failing = true
      const load = async (ids: readonly string[]) => {
        if (failing) throw new Error('away')
        return things.load(ids)
      }
      const { one, other } = caches({ load })
      things.write('a')
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => one.getMany(['a'])))
      for (const outcome of outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason.message, 'away')
      failing = false
      const started = performance.now()
      assert.equal(await versionIn(other, 'a'), 1)
      const waited = performance.now() - started
      assert.ok(waited < 900, `${waited} ms, where a load that goes on is waited for for a second`)
    })

    test('what is remembered is forgotten in its time, and what is not there earlier', async () => {
      const things = createThings()
      const { one } = caches(things, { seconds: () => 3, absentSeconds: 0.2 })
      things.write('a')
      const started = performance.now()
      await one.getMany(['a', 'none'])
      const loadsOf = (id: string) => things.loads.filter((ids) => ids.includes(id)).length
      await waitFor('another load', async () => (await one.getMany(['none'])) && loadsOf('none') === 2)
      assert.ok(performance.now() - started > 150)
      assert.equal(loadsOf('a'), 1)
      await waitFor('another load', async () => (await one.getMany(['a'])) && loadsOf('a') === 2)
      const elapsed = performance.now() - started
      assert.ok(elapsed > 2_500 && elapsed < 30_000, `${elapsed} ms`)
    })

    test('a time that changes is that of what is remembered from then on', async () => {
      const things = createThings()
      let seconds = 600
      const { one } = caches(things, { seconds: () => seconds })
      const loadsOf = (id: string) => things.loads.filter((ids) => ids.includes(id)).length
      things.write('kept')
      things.write('short')
      await one.getMany(['kept'])
      seconds = 0.2
      await one.getMany(['short'])
      await waitFor('another load', async () => (await one.getMany(['short'])) && loadsOf('short') === 2)
      await one.getMany(['kept'])
      assert.equal(loadsOf('kept'), 1)
    })

    test('an id can be any text', async () => {
      const things = createThings()
      const { one, other } = caches(things)
      const ids = ['', ' ', '{x}:y', '\0', '尺', 'x'.repeat(100_000), '\ud800', '__proto__', '#a', '1 2 v {}']
      for (const id of ids) things.write(id)
      for (const cache of [one, other]) assert.equal((await cache.getMany(ids)).length, ids.length)
      assert.equal(things.loads.length, 1)
    })

    test('asked for ids are counted by what became of them', async () => {
      const { cache } = opened.one
      const counted = cache<Thing>({
        name: `counted ${randomUUID()}`,
        load: async (ids) => ids.filter((id) => id !== 'none').map((id) => ({ id, version: 1 })),
        idOf: ({ id }) => id,
        versionOf: ({ version }) => version,
      })
      await counted.getMany(['a', 'b', 'none'])
      await counted.getMany(['a', 'none'])
      const text = await metrics.text()
      const lines = [...text.matchAll(/^cache_requests_total\{cache="counted [^"]+",result="(\w+)".*\} (\d+)$/gm)]
      assert.deepEqual(Object.fromEntries(lines.map(([, result, times]) => [result, times])), {
        miss: '3',
        hit: '1',
        absent: '1',
      })
    })

    test('10,000 interleavings of writes and slow loads: never an old value after its invalidation, and none that stays', async (context) => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      context.diagnostic(`seed ${seed}`)
      const random = seededRandom(seed)
      /** Goes on after a few turns of the event loop. */
      const pause = async (most: number) => {
        for (let turns = Math.floor(random() * most); turns > 0; turns--) await new Promise(setImmediate)
      }
      const things = createThings({ answer: () => pause(8) })
      const { one, other } = caches(things)
      let writes = 0
      let reads = 0
      async function interleave(id: string): Promise<void> {
        const either = () => (random() < 0.5 ? one : other)
        /** The newest version whose invalidation has returned. */
        let settled = 0
        const steps = Array.from({ length: 2 + Math.floor(random() * 4) }, async (_, n) => {
          await pause(12)
          if (n === 0 || random() < 0.35) {
            const version = things.write(id)
            writes += 1
            await pause(3)
            await either().invalidate(id, version)
            settled = Math.max(settled, version)
            const seen = (await versionIn(either(), id)) ?? 0
            assert.ok(seen >= version, `${id}: ${seen} after ${version}`)
          } else {
            const least = settled
            const seen = (await versionIn(either(), id)) ?? 0
            assert.ok(seen >= least, `${id}: ${seen} after ${least}`)
          }
          reads += 1
        })
        await Promise.all(steps)
        const last = await Promise.all([one, other].map((cache) => versionIn(cache, id)))
        assert.deepEqual(last, [things.versionOf(id), things.versionOf(id)], `${id} when all is quiet`)
      }
      let next = 0
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          while (next < 10_000) await interleave(`thing ${next++}`)
        }),
      )
      context.diagnostic(`${writes} writes, ${reads} reads among them, ${things.loads.length} loads`)
    })
  })
}
