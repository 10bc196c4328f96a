import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { cacheContract, createThings, type Thing } from '../../test/contract/cache.ts'
import { redisUrl } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { type RedisServer, redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { type CacheOptions, createCaches } from '../cache.ts'
import { silentLog as log } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { openRedis } from '../redis.ts'

const url = redisUrl()

cacheContract({
  name: 'the process',
  async open(metrics) {
    const caches = await createCaches({ log, metrics })
    return { one: caches, other: caches, close: async () => {} }
  },
})

/** Caches as one process of several has them. Patient with Redis, unless told otherwise. */
async function openShared(url: string, { prefix = '', metrics = metricsOfOne(), commandTimeout = 5_000 } = {}) {
  const redis = await openRedis({ url, prefix, name: 'test', commandTimeout, log })
  const caches = await createCaches({ redis, log, metrics })
  return { redis, caches, metrics, close: redis.close }
}
const metricsOfOne = () => createMetrics({ service: 'test' })

cacheContract({
  name: 'Redis',
  skip: !url && 'there is no Redis',
  async open(metrics) {
    const prefix = `${randomUUID()}:`
    const one = await openShared(url ?? '', { prefix, metrics })
    const other = await openShared(url ?? '', { prefix })
    return {
      one: one.caches,
      other: other.caches,
      close: async () => void (await Promise.all([one.close(), other.close()])),
    }
  },
})

const shape: Pick<CacheOptions<Thing>, 'name' | 'idOf' | 'versionOf'> = {
  name: 'things',
  idOf: ({ id }) => id,
  versionOf: ({ version }) => version,
}

test('in the process: no more is remembered than there is room for', async () => {
  const things = createThings()
  const { cache } = await createCaches({ log })
  const { getMany } = cache<Thing>({ ...shape, load: things.load })
  for (let n = 0; n < 10_050; n += 50) {
    const ids = Array.from({ length: 50 }, (_, index) => `thing ${n + index}`)
    for (const id of ids) things.write(id)
    await getMany(ids)
  }
  const before = things.loads.length
  await getMany(['thing 0'])
  await getMany(['thing 10049'])
  assert.deepEqual(things.loads.slice(before), [['thing 0']])
})

test('in the process: ids that nothing has take no more room than there is, however long they are', async () => {
  const things = createThings()
  const { cache } = await createCaches({ log })
  const { getMany } = cache<Thing>({ ...shape, load: things.load })
  const longId = (n: number) => `${n} ${'x'.repeat(1024 * 1024)}`
  for (let n = 0; n < 40; n++) await getMany([longId(n)])
  const before = things.loads.length
  await getMany([longId(39)])
  assert.equal(things.loads.length, before)
  await getMany([longId(0)])
  assert.equal(things.loads.length, before + 1)
})

test('with no time to remember, every read is a load, also of what was remembered before', async () => {
  let seconds = 600
  const things = createThings()
  const { cache } = await createCaches({ log })
  const { getMany } = cache<Thing>({ ...shape, load: things.load, seconds: () => seconds })
  things.write('a')
  await getMany(['a'])
  seconds = 0
  assert.deepEqual(await getMany(['a', 'a']), [{ id: 'a', version: 1 }])
  await getMany(['a'])
  assert.deepEqual(things.loads, [['a'], ['a'], ['a']])
})

describe('when Redis fails', { skip: !redisVersion() && 'there is no redis-server' }, () => {
  let server: RedisServer
  const opened: Awaited<ReturnType<typeof openShared>>[] = []
  before(async () => {
    server = await startRedis()
  })
  after(async () => {
    await Promise.all(opened.map(({ close }) => close()))
    await server.stop()
  })

  /** A process with a cache of the same things as the others. */
  async function open(
    things: ReturnType<typeof createThings>,
    { name = randomUUID() as string, commandTimeout = 2_000 } = {},
  ) {
    const process = await openShared(server.url, { commandTimeout })
    opened.push(process)
    const cache = process.caches.cache<Thing>({ ...shape, name, load: things.load })
    const isShared = async () => (await process.metrics.text()).match(/^cache_shared.* (\d)$/m)?.[1] === '1'
    return { ...process, ...cache, name, isShared }
  }

  test('a server that dies in the middle of load: no read fails, and none sees what was before', async () => {
    const things = createThings({ answer: () => new Promise(setImmediate) })
    const one = await open(things)
    const ids = Array.from({ length: 20 }, (_, n) => `thing ${n}`)
    for (const id of ids) things.write(id)
    let stopping = false
    let reads = 0
    const readers = Array.from({ length: 20 }, async (_, n) => {
      const id = ids[n] ?? ''
      while (!stopping) {
        const version = things.write(id)
        await one.invalidate(id, version)
        const [found] = await one.getMany([id])
        assert.ok((found?.version ?? 0) >= version)
        reads += 1
        await new Promise(setImmediate)
      }
    })
    await waitFor('some reads', async () => reads > 500)
    await server.kill()
    const before = reads
    await waitFor('reads without Redis', async () => reads > before + 500)
    assert.ok(!(await one.isShared()))
    await server.restart()
    await waitFor('Redis to be used', one.isShared)
    const since = reads
    await waitFor('reads with it', async () => reads > since + 500)
    stopping = true
    await Promise.all(readers)
  })

  test('a server that hangs is waited for as long as a command may take, and then by nobody', async () => {
    const things = createThings()
    const one = await open(things, { commandTimeout: 100 })
    things.write('a')
    server.pause()
    const started = performance.now()
    for (let n = 0; n < 100; n++) assert.equal((await one.getMany(['a']))[0]?.version, 1)
    const elapsed = performance.now() - started
    assert.ok(elapsed < 5_000, `${elapsed} ms, half of what all commands together may take`)
    server.resume()
    await waitFor('Redis to be used', one.isShared)
  })

  test('without Redis a thing is loaded for all who ask at once, and again for who comes later', async () => {
    const { promise: open_, resolve: release } = Promise.withResolvers<void>()
    let first = true
    const things = createThings({
      async answer() {
        if (first) {
          first = false
          await open_
        }
      },
    })
    const one = await open(things)
    await server.kill()
    things.write('a')
    const reads = Array.from({ length: 250 }, () => one.getMany(['a']))
    await waitFor('the first load', async () => things.loads.length === 1)
    things.write('a')
    const late = Array.from({ length: 250 }, () => one.getMany(['a']))
    release()
    await Promise.all(reads)
    for (const [found] of await Promise.all(late)) assert.equal(found?.version, 2)
    assert.ok(things.loads.length <= 3, `${things.loads.length} loads`)
    await server.restart()
    await waitFor('Redis to be used', one.isShared)
  })

  test('what was remembered before an interruption counts no longer, for anybody', async () => {
    const things = createThings()
    const one = await open(things, { commandTimeout: 100 })
    const other = await open(things, { name: one.name })
    things.write('a')
    await other.getMany(['a'])
    server.pause()
    await one.invalidate('a', things.write('a'))
    assert.ok(!(await one.isShared()), 'its invalidation was lost')
    server.resume()
    await waitFor('Redis to be used', one.isShared)
    assert.equal((await other.getMany(['a']))[0]?.version, 2)
  })

  test('an invalidation that is lost while Redis is taken up again: what is remembered counts no longer, once more', async () => {
    const things = createThings()
    const redis = await openRedis({ url: server.url, name: 'test', commandTimeout: 2_000, log })
    let before = async () => {}
    let after = async () => {}
    const troubled = {
      ...redis,
      async ask<T>(command: (client: typeof redis.client) => Promise<T>): Promise<T> {
        await before()
        const answer = await redis.ask(command)
        await after()
        return answer
      },
    }
    const metrics = metricsOfOne()
    const caches = await createCaches({ redis: troubled, log, metrics })
    opened.push({ redis, caches, metrics, close: redis.close })
    const other = await open(things)
    const one = caches.cache<Thing>({ ...shape, name: other.name, load: things.load })
    things.write('a')
    await other.getMany(['a'])

    async function lose(): Promise<void> {
      before = () => Promise.reject(new Error('There is no answer.'))
      await one.invalidate('a', things.write('a'))
      before = async () => {}
    }
    after = async () => {
      after = async () => {}
      await other.getMany(['a'])
      await lose()
    }
    await lose()
    await waitFor('Redis to be used', async () => /^cache_shared.* 1$/m.test(await metrics.text()))
    assert.equal(things.versionOf('a'), 3)
    assert.equal((await other.getMany(['a']))[0]?.version, 3)
  })

  test('a server that forgets everything in the middle of a slow load does not take the old value', async () => {
    const { promise: open_, resolve: release } = Promise.withResolvers<void>()
    const things = createThings({ answer: () => open_ })
    const one = await open(things)
    things.write('a')
    const slow = one.getMany(['a'])
    await waitFor('the load', async () => things.loads.length === 1)
    await one.invalidate('a', things.write('a'))
    await one.redis.client.flushall()
    release()
    await slow
    assert.equal((await one.getMany(['a']))[0]?.version, 2)
  })

  test('a load that is slower than anything Redis remembers of its change does not bring back the old value', async () => {
    const { promise: open_, resolve: release } = Promise.withResolvers<void>()
    const things = createThings({ answer: () => open_ })
    const one = await open(things)
    things.write('a')
    const slow = one.getMany(['a'])
    await waitFor('the load', async () => things.loads.length === 1)
    await one.invalidate('a', things.write('a'))
    // The time of a key is over, or there was no room for it.
    const { client } = one.redis
    const keys = await client.keys(`cache:{${one.name}}:a*`)
    if (keys.length > 0) await client.del(keys)
    release()
    await slow
    assert.equal((await one.getMany(['a']))[0]?.version, 2)
  })

  test('what a process could not tell of before it died is not remembered once it is back', async () => {
    const things = createThings()
    const before = await open(things)
    things.write('a')
    await before.getMany(['a'])
    things.write('a')
    const after = await open(things, { name: before.name })
    for (const { getMany } of [after, before]) assert.equal((await getMany(['a']))[0]?.version, 2)
  })

  test('a load of another process that never ends is waited for no longer than a second', async () => {
    const things = createThings()
    const dying = await open(createThings({ answer: () => new Promise(() => {}) }))
    const one = await open(things, { name: dying.name })
    things.write('a')
    void dying.getMany(['a'])
    await waitFor('its lease', async () => (await one.redis.client.keys('*:lease')).length === 1)
    const started = performance.now()
    assert.equal((await one.getMany(['a']))[0]?.version, 1)
    assert.ok(performance.now() - started < 10_000)
  })

  test('what is damaged, or of another build, is loaded anew', async () => {
    const things = createThings()
    const one = await open(things)
    things.write('a')
    await one.getMany(['a'])
    const [key = ''] = (await one.redis.client.keys(`cache:{${one.name}}:a`)) ?? []
    const whole = await one.redis.client.get(key)
    for (const damaged of ['', '1', 'x', '1 g v', (whole ?? '').slice(0, -3), (whole ?? '').replace(' v ', ' w ')]) {
      await one.redis.client.set(key, damaged)
      assert.equal((await one.getMany(['a']))[0]?.version, 1, damaged)
    }
  })
})
