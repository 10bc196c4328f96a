import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { silentLog as log } from '#platform/log.ts'
import { openRedis, type Redis } from '#platform/redis.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { type RedisServer, redisVersion, startRedis } from '../../../tools/infra/redis.ts'
import type { ProductsService } from '../service.ts'
import { createInstance, manager, openProducts, type Products } from './open-products.ts'

/** Milliseconds for which Redis keeps a lock without a sign of life. */
const lease = 3_000

describe('the lock of a stock, held by a process that stands still', {
  skip: !redisVersion() && 'there is no redis-server',
}, () => {
  let server: RedisServer
  let products: Products
  let redis: Redis
  let service: ProductsService
  before(async () => {
    server = await startRedis()
    products = await openProducts()
    redis = await openRedis({ url: server.url, name: 'test', commandTimeout: 5_000, log })
    const { store } = products
    ;({ service } = await createInstance({ store, redis, lease }))
  })
  after(async () => {
    await redis.close()
    await products.close()
    await server.stop()
  })

  /** Starts a process that holds the lock of a product's stock, and stops it there. */
  async function pausedHolder(productId: string): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL('paused-holder.ts', import.meta.url)), {
      env: {
        PATH: process.env.PATH,
        DATABASE: products.url,
        REDIS: server.url,
        PRODUCT: productId,
        LEASE: String(lease),
      },
      execArgv: [],
    })
    assert.deepEqual(await once(child, 'message'), ['holding', undefined])
    child.kill('SIGSTOP')
    return child
  }

  /** Lets it go on, and returns what became of its change. */
  async function resume(child: ChildProcess): Promise<unknown> {
    child.send('go')
    const outcome = once(child, 'message')
    child.kill('SIGCONT')
    const [message] = await outcome
    return message
  }

  const adjust = (productId: string, delta: number) =>
    service.adjustStock(manager, { productId, delta, reason: 'Counted', idempotencyKey: randomUUID() })

  test('beyond its time: another one changes the stock, and its write is refused by the fencing token', async (context) => {
    const { id } = await products.product({ stock: 10 })
    const child = await pausedHolder(id)
    assert.equal(await redis.client.exists(`lock:stock:${id}`), 1)
    await adjust(id, 5)
    const outcome = await resume(child)
    const [stock] = await products.stockOf(id)
    context.diagnostic(`its write of +100: ${outcome}; stock 10, another's +5: ${stock}`)
    assert.deepEqual([outcome, stock], ['IN_PROGRESS', 15])
  })

  test('while Redis forgets everything: its write is refused all the same', async (context) => {
    const { id } = await products.product({ stock: 10 })
    const child = await pausedHolder(id)
    await redis.client.flushall()
    await adjust(id, 5)
    const outcome = await resume(child)
    const [stock] = await products.stockOf(id)
    context.diagnostic(`its write of +100: ${outcome}; stock 10, another's +5: ${stock}`)
    assert.deepEqual([outcome, stock], ['IN_PROGRESS', 15])
  })

  test('while nobody else changes the stock: its write is as good as ever', async () => {
    const { id } = await products.product({ stock: 10 })
    const child = await pausedHolder(id)
    await waitFor('the lock to end', async () => (await redis.client.exists(`lock:stock:${id}`)) === 0)
    assert.equal(await resume(child), 'written')
    assert.deepEqual(await products.stockOf(id), [110])
  })
})
