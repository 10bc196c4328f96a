import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { silentLog as log } from '#platform/log.ts'
import { openRedis } from '#platform/redis.ts'
import { redisUrl } from '../../../test/infra/parts.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { type RedisServer, startRedis } from '../../../tools/infra/redis.ts'
import { createEventHandlers } from '../events.ts'
import { createInstance, manager, openProducts, type Products } from './open-products.ts'

describe('two instances with one Redis', { skip: !redisUrl() && 'there is no Redis' }, () => {
  let products: Products
  let server: RedisServer
  const opened: { close(): Promise<unknown> }[] = []
  before(async () => {
    products = await openProducts()
    server = await startRedis()
  })
  after(async () => {
    for (const redis of opened) await redis.close()
    server.stop()
    await products.close()
  })

  /** Patient with Redis, unless told otherwise. */
  async function open(prefix: string, { url = server.url, commandTimeout = 5_000 } = {}) {
    const redis = await openRedis({ url, prefix, name: 'test', commandTimeout, log })
    opened.push(redis)
    return { redis, ...(await createInstance({ store: products.store, redis })) }
  }
  async function openTwo() {
    const prefix = `${randomUUID()}:`
    return [await open(prefix), await open(prefix)] as const
  }

  test('500 reads of one product at once, that nobody remembers, are one statement', async () => {
    const [a, b] = await openTwo()
    const { id } = await products.product({ name: 'Lamp' })
    // Whose first statement takes longer than any other.
    for (const { reading } of [a, b]) await reading.byIds([(await products.product()).id])
    const start = performance.now()
    const [count, answers] = await products.statementsOf(() =>
      Promise.all(Array.from({ length: 500 }, (_, n) => (n % 2 ? a : b).reading.byIds([id]))),
    )
    assert.deepEqual(new Set(answers.map(([product]) => product?.name)), new Set(['Lamp']))
    // An instance that has waited a second for the other's load makes its own.
    const waitedInVain = performance.now() - start > 1_000
    assert.ok(count === 1 || (waitedInVain && count === 2), `${count} statements`)
  })

  test('what a change returned for one instance is what the other reads, by id and by SKU', async () => {
    const [a, b] = await openTwo()
    const { id, sku } = await products.product({ name: 'Lamp 0' })
    for (let version = 1; version <= 50; version++) {
      const [writer, reader] = version % 2 ? [a, b] : [b, a]
      // It remembers what is there before.
      await Promise.all([reader.reading.byIds([id]), reader.reading.bySkus([sku])])
      const name = `Lamp ${version}`
      await writer.service.updateProduct(manager, { productId: id, version, name })
      const [[byId], [bySku]] = await Promise.all([reader.reading.byIds([id]), reader.reading.bySkus([sku])])
      assert.deepEqual([byId?.name, bySku?.name], [name, name])
    }
  })

  test('a change that Redis was not told of is read once its event arrives', async () => {
    const [a, b] = await openTwo()
    const { id, sku } = await products.product({ name: 'Lamp' })
    await a.reading.byIds([id])
    await products.sql('UPDATE products SET name = $2, version = 2 WHERE id = $1', [id, 'Light'])
    assert.equal((await a.reading.byIds([id]))[0]?.name, 'Lamp')
    const handler = createEventHandlers(b.service).find(({ type }) => type === 'product.updated')
    const [row] = await products.eventsOf(id)
    await handler?.handle({
      id: randomUUID(),
      type: 'product.updated',
      source: 'products',
      key: id,
      sequence: 2,
      time: new Date(),
      data: { ...row.data, productId: id, sku, name: 'Light', version: 2 },
    } as never)
    assert.equal((await a.reading.byIds([id]))[0]?.name, 'Light')
  })

  test('Redis stopped in the middle of load: no read and no change fails, and none waits for long', async () => {
    const own = await startRedis()
    const prefix = `${randomUUID()}:`
    const server = { url: own.url, commandTimeout: 100 }
    const instances = [await open(prefix, server), await open(prefix, server)]
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await products.product()).id))
    let [reads, changes, slowest] = [0, 0, 0]
    let running = true
    const work = Array.from({ length: 16 }, async (_, n) => {
      const { reading, service } = instances[n % 2] ?? assert.fail()
      while (running) {
        const id = ids[Math.floor(Math.random() * ids.length)] ?? ''
        const start = performance.now()
        const [product] = await reading.byIds([id])
        assert.ok(product)
        reads += 1
        if (n === 0) {
          // Nobody else changes it: a version that is refused is an old one that was read.
          await service.updateProduct(manager, { productId: id, version: product.version, name: randomUUID() })
          changes += 1
        }
        slowest = Math.max(slowest, performance.now() - start)
        // Redis' own timers get their turn.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    const until = async (more: number) => {
      const goal = reads + more
      await waitFor('reads', () => reads >= goal)
    }
    await until(2_000)
    await own.kill()
    await until(2_000)
    await waitFor('changes', () => changes > 10)
    running = false
    await Promise.all(work)
    own.stop()
    assert.ok(slowest < 5_000, `${slowest} ms`)
  })
})
