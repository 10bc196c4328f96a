import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { quotaContract } from '../../test/contract/quota.ts'
import { redisUrl } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { type RedisServer, redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { type Log, silentLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { createWindows } from '../quota/windows.ts'
import { createQuotas } from '../quota.ts'
import { openRedis, type Redis } from '../redis.ts'

const url = redisUrl()

/** Quotas over Redis, as one process has them, under names that no other test uses. Patient, unless told otherwise. */
async function openShared(
  url: string,
  { prefix = `${randomUUID()}:`, log = silentLog, metrics = metricsOfOne(), commandTimeout = 5_000 } = {},
) {
  const redis = await openRedis({ url, prefix, name: 'test', commandTimeout, log })
  connections.push(redis)
  return { redis, prefix, quotas: await createQuotas({ redis, log, metrics }), close: redis.close }
}
const connections: Redis[] = []
after(() => Promise.all(connections.map(({ close }) => close())))
const metricsOfOne = () => createMetrics({ service: 'test' })

quotaContract({
  name: 'the process',
  open: async (metrics) => ({ quotas: await createQuotas({ log: silentLog, metrics }), close: async () => {} }),
})

quotaContract({
  name: 'Redis',
  skip: !url && 'there is no Redis',
  open: (metrics) => openShared(url ?? '', { metrics }),
})

const minute = { name: 'minute', points: () => 10, seconds: 60 }

describe('in the process', () => {
  test('the keys that are counted are bounded: the one asked for the longest ago begins anew', () => {
    const windows = createWindows({ name: 'x', limit: () => 1, seconds: 60 })
    for (const key of ['first', 'second']) windows.take(key, 1)
    for (let n = 0; n < 49_998; n++) windows.take(`address ${n}`, 1)
    assert.ok(!windows.take('first', 1).allowed)
    windows.take('one more', 1)
    assert.ok(!windows.take('first', 1).allowed, 'asked for a moment ago')
    assert.ok(windows.take('second', 1).allowed)
  })
})

describe('in Redis', { skip: !url && 'there is no Redis' }, () => {
  test('processes count together', async () => {
    const one = await openShared(url ?? '')
    const other = await openShared(url ?? '', { prefix: one.prefix })
    const quotas = [one, other].map(({ quotas }) => quotas.quota(minute))
    const charges = await Promise.all(Array.from({ length: 30 }, (_, n) => quotas[n % 2]?.charge('k')))
    assert.equal(charges.filter((charge) => charge?.allowed).length, 10)
    await Promise.all([one.close(), other.close()])
  })

  test('a key is a hash under our prefix, and ends with its window', async () => {
    const { redis, prefix, quotas, close } = await openShared(url ?? '')
    await quotas.quota(minute).charge('ada@example.com')
    await quotas.quota(minute).charge('x'.repeat(100_000))
    await quotas.quota(minute).charge('nothing', 0)
    await quotas.quota(minute).giveBack('nobody')
    const keys = await redis.client.keys(`${prefix}*`)
    assert.equal(keys.length, 2)
    for (const key of keys) {
      assert.match(key.slice(prefix.length), /^quota:minute:[\w-]{22}$/)
      const left = await redis.client.pttl(key.slice(prefix.length))
      assert.ok(left > 0 && left <= 60_000)
    }
    await close()
  })

  test('a key that is spent is not asked for again within a second', async () => {
    const { redis, quotas, close } = await openShared(url ?? '')
    const quota = quotas.quota(minute)
    await quota.charge('k', 10)
    await redis.client.del(...(await ownKeys(redis)))
    assert.ok(!(await quota.charge('k')).allowed)
    await waitFor('Redis to be asked', async () => (await quota.charge('k')).allowed)
    await close()
  })
})

/** Without the prefix, which the client adds. */
async function ownKeys({ client }: Redis): Promise<string[]> {
  const { keyPrefix = '' } = client.options
  return (await client.keys(`${keyPrefix}*`)).map((key) => key.slice(keyPrefix.length))
}

describe('when Redis fails', { skip: !redisVersion() && 'there is no redis-server' }, () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  async function openLogged(commandTimeout = 100) {
    const lines: string[] = []
    const line = (message: string) => void lines.push(message)
    const log: Log = { debug: line, info: line, warn: line, error: line }
    const metrics = metricsOfOne()
    const opened = await openShared(server.url, { log, metrics, commandTimeout })
    const isShared = async () => / 1$/m.test((await metrics.text()).match(/^rate_limits_shared.*$/m)?.[0] ?? '')
    const [dependency] = opened.quotas.dependencies
    return { ...opened, quota: opened.quotas.quota(minute), lines, isShared, dependency }
  }

  /** Charges a new key and returns how many milliseconds it took. */
  async function timeOf(charge: (key: string) => Promise<{ allowed: boolean }>): Promise<number> {
    const started = performance.now()
    assert.ok((await charge(randomUUID())).allowed)
    return performance.now() - started
  }

  test('a server that dies is missed at once by nobody, each process counts for itself, and counts with it when it is back', async () => {
    const { quota, lines, isShared, dependency, close } = await openLogged(5_000)
    assert.deepEqual([dependency?.name, dependency?.required], ['redis', false])
    await dependency?.check()
    assert.ok(await isShared())
    for (let n = 0; n < 10; n++) await quota.charge('k')
    await server.kill()
    const charges = await Promise.all(Array.from({ length: 30 }, () => quota.charge('other')))
    assert.equal(charges.filter(({ allowed }) => allowed).length, 10)
    assert.ok((await quota.charge('k')).allowed, 'counted anew, by this process')
    assert.ok(!(await isShared()))
    await assert.rejects(async () => dependency?.check())
    await server.restart()
    await waitFor('Redis to be used', async () => {
      await quota.charge('k', 0)
      return isShared()
    })
    await dependency?.check()
    const [connection, counting] = ['Redis is', 'quotas are'].map((begin) =>
      lines.filter((line) => line.startsWith(begin)),
    )
    assert.deepEqual(connection, ['Redis is away', 'Redis is back'])
    assert.deepEqual(counting, ['quotas are counted in each process', 'quotas are shared again'])
    await close()
  })

  test('a server that hangs is waited for as long as one command may take, and then by nobody', async () => {
    const { quota, isShared, close } = await openLogged()
    await quota.charge('k')
    server.pause()
    const first = await timeOf(quota.charge)
    assert.ok(first < 10_000, `${first} ms`)
    assert.ok(!(await isShared()))
    const started = performance.now()
    const times: number[] = []
    await waitFor('two seconds of charges', async () => {
      times.push(await timeOf(quota.charge))
      return performance.now() - started > 2_000
    })
    // In the median, since the machine may hold up any of them.
    const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
    assert.ok(median < 90, `${median} ms in the median of ${times.length}, where a command may take 100`)
    server.resume()
    await waitFor('Redis to be used', async () => {
      await quota.charge('k', 0)
      return isShared()
    })
    await close()
  })

  test('a server that is not there at the start is found later', async () => {
    await server.kill()
    const { quota, isShared, close } = await openLogged()
    assert.ok((await quota.charge('k')).allowed)
    assert.ok(!(await isShared()))
    await server.restart()
    await waitFor('Redis to be used', async () => {
      await quota.charge('k', 0)
      return isShared()
    })
    await close()
  })

  test('closing does not wait for a server that hangs', async () => {
    const { close } = await openLogged()
    server.pause()
    const started = performance.now()
    await close()
    assert.ok(performance.now() - started < 10_000)
    server.resume()
  })
})
