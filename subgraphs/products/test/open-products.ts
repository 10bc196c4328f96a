import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { createCaches } from '#platform/cache.ts'
import { openDatabase } from '#platform/database/open.ts'
import { createGatherer } from '#platform/gatherer.ts'
import { createLocks } from '#platform/lock.ts'
import { silentLog as log } from '#platform/log.ts'
import type { Redis } from '#platform/redis.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { recordStatements } from '../../../test/infra/statements.ts'
import type { NewProduct, StockedProduct } from '../domain/catalogue.ts'
import type { ProductsRequest } from '../service/listing.ts'
import { createReading } from '../service/reading.ts'
import { createProductsService } from '../service.ts'
import { createProductsStore, type ProductsStore } from '../store.ts'

export const nobody = { sub: null, scopes: [] }
export const customer = { sub: randomUUID(), scopes: [] }
export const manager = { sub: randomUUID(), scopes: ['catalog:write'] }

/** Milliseconds that items are held. */
export const holdTime = 60_000

/** One of several instances: with locks and a cache that all share where there is a Redis. */
export async function createInstance({
  store,
  redis,
  lease = 5_000,
  hold = holdTime,
  now = () => new Date(),
  canTell = async () => true,
  clock,
}: {
  store: ProductsStore
  redis?: Redis | undefined
  /** Milliseconds for which Redis keeps a lock without a sign of life. */
  lease?: number
  hold?: number
  now?: () => Date
  /** Whether the event log is there. Default: always. */
  canTell?: () => Promise<boolean>
  /** By which the tree of categories is remembered. */
  clock?: () => number
}) {
  const caches = await createCaches({ redis, log })
  const locks = await createLocks({ redis, nextToken: store.nextStockFence, lease, wait: 10_000, log })
  const gather = createGatherer({ name: 'test' })
  const reading = createReading({ store, caches, gather, seconds: () => 600, ...(clock && { clock }) })
  const service = createProductsService({
    store,
    reading,
    locks,
    lowStock: 5,
    holdTime: hold,
    canTell,
    now,
    newId: randomUUID,
  })
  return { service, reading }
}

/** The products service on a database of its own, with a clock that stands still. */
export async function openProducts() {
  const url = await createTestDatabase('products')
  const database = openDatabase({ name: 'test', url, poolSize: 10, log })
  const { adapter, during } = recordStatements(database.adapter)
  const store = createProductsStore(adapter)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const clock = { time: new Date('2026-01-01T00:00:00Z') }
  const { service, reading } = await createInstance({ store, now: () => clock.time })
  const sql = async (query: string, values: unknown[] = []) => (await client.query(query, values)).rows

  /** Changes a stock, under a key of its own unless one is given. */
  const adjust = (productId: string, delta: number, idempotencyKey: string = randomUUID()) =>
    service.adjustStock(manager, { productId, delta, reason: 'Counted', idempotencyKey })

  return {
    url,
    service,
    reading,
    store,
    clock,
    sql,

    /** How many statements something sends to the database, and what it answers. */
    async statementsOf<Answer>(work: () => Promise<Answer>): Promise<[count: number, answer: Answer]> {
      const answers: Answer[] = []
      const sent = await during(async () => answers.push(await work()))
      return [sent.length, answers[0] as Answer]
    },

    category: (name: string = randomUUID(), parentId: string | null = null) =>
      service.createCategory(manager, { name, parentId }),

    /** A new product, with what is given of it. It gets a category of its own unless one is given. */
    async product(given: Partial<NewProduct> & { stock?: number } = {}): Promise<StockedProduct> {
      const { stock = 0, ...input } = given
      const categoryId = input.categoryId ?? (await service.createCategory(manager, { name: randomUUID() })).id
      const price = { amount: 1_000, currency: 'EUR' }
      const product = await service.createProduct(manager, {
        sku: randomUUID(),
        name: 'Thing',
        description: '',
        price,
        ...input,
        categoryId,
      })
      return stock === 0 ? { ...product, available: 0 } : adjust(product.id, stock)
    },

    adjust,

    /** What is available of products, after seeing to it that stock, ledger and reservations agree. */
    async stockOf(...ids: string[]): Promise<number[]> {
      assert.deepEqual(await store.findStockDifferences(), [])
      const rows = await sql('SELECT id, available FROM products')
      const byId = new Map(rows.map(({ id, available }) => [id, available]))
      return ids.map((id) => byId.get(id))
    },

    /** The ids of all products of a list, read page by page. `between` runs after each page. */
    async idsOf(request: ProductsRequest, between: () => Promise<void> = async () => {}): Promise<string[]> {
      const ids: string[] = []
      let after: string | null = null
      for (;;) {
        const { edges, pageInfo } = await service.products({ ...request, after })
        ids.push(...edges.map(({ node }) => node.id))
        if (!pageInfo.hasNextPage) return ids
        after = pageInfo.endCursor
        await between()
      }
    },

    eventsOf: (productId: string) =>
      sql('SELECT type, sequence, data FROM outbox WHERE key = $1 ORDER BY id', [productId]),

    async close(): Promise<void> {
      await client.end()
      await store.close()
      await database.close()
    },
  }
}

export type Products = Awaited<ReturnType<typeof openProducts>>
