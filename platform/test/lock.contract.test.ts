import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { lockContract } from '../../test/contract/lock.ts'
import { redisUrl } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { type RedisServer, redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { createLocks, type LocksOptions } from '../lock.ts'
import { silentLog as log } from '../log.ts'
import { openRedis } from '../redis.ts'

const url = redisUrl()

lockContract({
  name: 'the process',
  async open(options) {
    const locks = await createLocks({ ...options, log })
    return { one: locks, other: locks, close: async () => {} }
  },
})

type Times = Pick<LocksOptions, 'nextToken' | 'lease' | 'wait'>

/** Locks as one process of several has them. Patient with Redis, unless told otherwise. */
async function openShared(url: string, prefix: string, options: Times, commandTimeout = 5_000) {
  const redis = await openRedis({ url, prefix, name: 'test', commandTimeout, log })
  return { redis, locks: await createLocks({ ...options, redis, log }), close: redis.close }
}

lockContract({
  name: 'Redis',
  skip: !url && 'there is no Redis',
  async open(options) {
    const prefix = `${randomUUID()}:`
    const [one, other] = await Promise.all([0, 1].map(() => openShared(url ?? '', prefix, options)))
    if (!one || !other) throw new Error('There are two.')
    return {
      one: one.locks,
      other: other.locks,
      close: async () => void (await Promise.all([one.close(), other.close()])),
    }
  },
})

describe('when Redis fails', { skip: !redisVersion() && 'there is no redis-server' }, () => {
  let server: RedisServer
  let tokens = 0
  const options: Times = { nextToken: async () => ++tokens, lease: 3_000, wait: 1_000 }
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  test('a holder whose lock is gone is told, its token is the smaller one, and it takes nobody else’s lock away', async () => {
    const [one, other] = await Promise.all([0, 1].map(() => openShared(server.url, '', options)))
    if (!one || !other) throw new Error('There are two.')
    const key = randomUUID()
    await one.locks.run(key, async ({ token, signal }) => {
      await one.redis.client.flushall()
      const { promise: end, resolve: release } = Promise.withResolvers<void>()
      const { promise: begin, resolve: began } = Promise.withResolvers<number>()
      const held = other.locks.run(key, async (lock) => {
        began(lock.token)
        await end
      })
      assert.ok((await begin) > token)
      await waitFor('the loss to be noticed', async () => signal.aborted)
      assert.equal(await other.redis.client.exists(`lock:${key}`), 1)
      release()
      await held
    })
    await Promise.all([one.close(), other.close()])
  })

  test('a server that dies keeps nobody from work, and each process locks for itself', async () => {
    const one = await openShared(server.url, '', options, 100)
    const key = randomUUID()
    await server.kill()
    let holders = 0
    const work = async () => {
      assert.equal(++holders, 1)
      await new Promise(setImmediate)
      holders -= 1
    }
    await Promise.all(Array.from({ length: 20 }, () => one.locks.run(key, work)))
    await server.restart()
    await waitFor('locks in Redis again', () =>
      one.locks.run(key, async () => (await one.redis.client.exists(`lock:${key}`).catch(() => 0)) === 1),
    )
    await one.close()
  })

  test('a server that hangs is waited for as long as a command may take', async () => {
    const one = await openShared(server.url, '', options, 100)
    server.pause()
    const started = performance.now()
    assert.equal(await one.locks.run(randomUUID(), async () => 'done'), 'done')
    assert.ok(performance.now() - started < 10_000)
    server.resume()
    await one.close()
  })
})
