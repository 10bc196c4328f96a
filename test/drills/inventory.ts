import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { databaseFailure } from '#platform/database/failures.ts'
import { openDatabase } from '#platform/database/open.ts'
import { hasCode, ServiceError } from '#platform/errors.ts'
import { silentLog as log } from '#platform/log.ts'
import { openRedis } from '#platform/redis.ts'
import type { ProductsService } from '../../subgraphs/products/service.ts'
import { createProductsStore } from '../../subgraphs/products/store.ts'
import { createInstance, manager } from '../../subgraphs/products/test/open-products.ts'
import { createTestDatabase, redisUrl } from '../infra/parts.ts'
import { seededRandom } from '../infra/random.ts'
import type { Drill } from './drill.ts'

const workers = 32
const products = 20
const firstStock = 100
/**
 * Milliseconds for which each instance holds items: some holds end before they are committed, some while they are, and on a
 * machine of whatever speed some do not.
 */
const holdTimes = [40, 2_000]
/** Orders that are still of interest to somebody: what is done to one may meet what is done to it at the same time. */
const recent = 60

export const inventory: Drill = {
  summary:
    'reservations, sales, returns, expiries and corrections at random over two instances: the ledger proves the stock',
  async run({ short, print, seed = Math.floor(Math.random() * 2 ** 31) }) {
    const operations = short ? 2_000 : 20_000
    print(`seed ${seed}: npm run drill -- inventory ${seed} draws the same operations again`)
    const url = await createTestDatabase('products')
    const instances = await Promise.all(holdTimes.map((hold) => openInstance(url, hold)))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      const ids = await addProducts(instances[0]?.service)
      const random = seededRandom(seed)
      const orders: string[] = []
      const events: { id: string; orderId: string }[] = []
      const outcomes = new Map<string, number>()
      const count = (name: string) => outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
      const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]

      /** Draws one operation: its name and how to do it. */
      function draw(service: ProductsService): [string, () => Promise<unknown>] {
        const dice = random()
        const known = pick(orders.slice(-recent))
        if (dice < 0.4 || known === undefined) {
          const orderId = dice < 0.35 || known === undefined ? randomUUID() : known
          orders.push(orderId)
          const chosen = new Set(Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(ids) ?? ''))
          const items = [...chosen].map((productId) => ({ productId, quantity: 1 + Math.floor(random() * 3) }))
          return ['reserve', () => service.reserve(orderId, items)]
        }
        if (dice < 0.58) return ['commit', () => service.commit(known)]
        if (dice < 0.68) return ['release', () => service.release(known)]
        if (dice < 0.82) {
          const event = random() < 0.2 ? pick(events) : undefined
          const { id, orderId } = event ?? { id: randomUUID(), orderId: known }
          if (!event) events.push({ id, orderId })
          return ['return', () => service.orderCancelled(id, orderId)]
        }
        if (dice < 0.88) return ['expire', () => service.sweep()]
        const delta = (1 + Math.floor(random() * 5)) * (random() < 0.45 ? -1 : 1)
        const adjustment = { productId: pick(ids) ?? '', delta, reason: 'Counted', idempotencyKey: randomUUID() }
        return ['adjust', () => service.adjustStock(manager, adjustment)]
      }

      let left = operations
      const started = performance.now()
      await Promise.all(
        Array.from({ length: workers }, async (_, n) => {
          const { service } = instances[n % 2] ?? {}
          if (!service) return
          while (left-- > 0) {
            const [name, operation] = draw(service)
            count(await outcomeOf(name, operation))
          }
        }),
      )
      const seconds = ((performance.now() - started) / 1_000).toFixed(1)
      const listed = [...outcomes].sort().map(([name, times]) => `  ${name.padEnd(32)} ${times}`)
      print(`${operations} operations by ${workers} workers over 2 instances in ${seconds} s:\n${listed.join('\n')}`)

      const differences = await instances[0]?.store.findStockDifferences()
      const { rows } = await client.query(balanceQuery)
      const [{ adjusted, available, held, sold, negative }] = rows
      print(
        `stock ${available} + held ${held} + sold ${sold} = entered ${adjusted}; ${differences?.length} differences`,
      )
      assert.deepEqual(differences, [])
      assert.equal(available + held + sold, adjusted)
      assert.equal(negative, 0)
      for (const name of ['reserve', 'commit', 'release', 'return', 'expire', 'adjust']) {
        assert.ok((outcomes.get(name) ?? 0) > 0, `${name} happened`)
      }
    } finally {
      await client.end()
      await Promise.all(instances.map(({ close }) => close()))
    }
  },
}

/**
 * Whatever is refused is refused by a rule, with its code: no deadlock, no failure of ours. Where no Redis is there to share
 * locks, the fencing token refuses whoever was overtaken by the other instance.
 */
async function outcomeOf(name: string, operation: () => Promise<unknown>): Promise<string> {
  try {
    await operation()
    return name
  } catch (error) {
    // On a slow machine: nothing was changed, and who asks again may be served.
    const failure = databaseFailure(error)
    if (failure === 'overloaded' || failure === 'unavailable') return `${name}: too late`
    const overtaken = hasCode(error, 'IN_PROGRESS') && !redisUrl()
    if (error instanceof ServiceError && (overtaken || !error.retryable)) return `${name}: ${error.code}`
    throw error
  }
}

/** What was ever entered must be there, held or sold. Independent of how the service reckons. */
const balanceQuery = `
  SELECT (SELECT sum(delta)::int FROM stock_adjustments) AS adjusted,
    (SELECT sum(available)::int FROM products) AS available,
    (SELECT count(*)::int FROM products WHERE available < 0) AS negative,
    coalesce(sum(quantity) FILTER (WHERE status = 'HELD'), 0)::int AS held,
    coalesce(sum(quantity) FILTER (WHERE status = 'COMMITTED'), 0)::int AS sold
  FROM reservation_lines JOIN reservations USING (order_id)`

/** One of several instances: connections of its own, and locks that all share where there is a Redis. */
async function openInstance(url: string, hold: number) {
  const database = openDatabase({ name: 'drill', url, poolSize: 10, log })
  const store = createProductsStore(database.adapter)
  const shared = redisUrl()
  const redis = shared
    ? await openRedis({ url: shared, prefix: `${new URL(url).pathname}:`, name: 'drill', commandTimeout: 5_000, log })
    : undefined
  const { service } = await createInstance({ store, redis, hold })
  return {
    store,
    service,
    async close(): Promise<void> {
      await redis?.close()
      await store.close()
      await database.close()
    },
  }
}

async function addProducts(service: ProductsService | undefined): Promise<string[]> {
  if (!service) throw new Error('There is an instance.')
  const { id: categoryId } = await service.createCategory(manager, { name: 'Drill' })
  const price = { amount: 1_000, currency: 'EUR' }
  const ids: string[] = []
  for (let n = 0; n < products; n++) {
    const product = { sku: `DRILL-${n}`, name: `Thing ${n}`, description: '', price, categoryId }
    const { id } = await service.createProduct(manager, product)
    const first = { productId: id, delta: firstStock, reason: 'Delivered', idempotencyKey: randomUUID() }
    await service.adjustStock(manager, first)
    ids.push(id)
  }
  return ids
}
