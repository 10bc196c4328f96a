import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { stockQuery } from '../../../test/drills/drill.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { createProductsService } from '../service.ts'
import { createProductsStore, type ProductsStore } from '../store.ts'

const holdTime = 60_000
let clock = new Date('2026-01-01T00:00:00Z')
let database: ReturnType<typeof openDatabase>
let store: ProductsStore
let client: pg.Client
let service: ReturnType<typeof createProductsService>

before(async () => {
  const url = await createTestDatabase('products')
  database = openDatabase({ name: 'test', url, poolSize: 10, log })
  store = createProductsStore(database.adapter)
  service = createProductsService({ store, holdTime, now: () => clock, newId: randomUUID })
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
after(async () => {
  await client.end()
  await store.close()
  await database.close()
})

async function addProducts(...stocks: number[]): Promise<string[]> {
  const category = { id: randomUUID(), name: randomUUID(), parentId: null }
  const products = stocks.map((available, index) => ({
    id: randomUUID(),
    sku: randomUUID(),
    name: `Thing ${index}`,
    description: '',
    price: { amount: 100 + index, currency: 'EUR' },
    categoryId: category.id,
    available,
    version: 1,
    createdAt: clock,
    updatedAt: clock,
  }))
  await store.addCatalogue([category], products)
  return products.map(({ id }) => id)
}

/** The stock of products, after seeing to it that it equals the ledger and what is not held. */
async function stockOf(...ids: string[]): Promise<number[]> {
  const { rows } = await client.query(stockQuery, [ids])
  for (const { available, ledger, held, initial } of rows) {
    assert.equal(available, ledger, 'stock equals the ledger')
    assert.equal(available + held, initial, 'stock and holds make what there was')
  }
  const byId = new Map(rows.map(({ id, available }) => [id, available]))
  return ids.map((id) => byId.get(id))
}

const line = (productId: string, quantity = 1) => ({ productId, quantity })

test('a reservation holds the items at the prices of now, in the order of the request', async () => {
  const [a = '', b = ''] = await addProducts(5, 5)
  const { lines, expiresAt, status } = await service.reserve(randomUUID(), [line(b, 2), line(a, 1)])
  assert.deepEqual(
    lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
    [
      { productId: b, quantity: 2, unitPrice: { amount: 101, currency: 'EUR' } },
      { productId: a, quantity: 1, unitPrice: { amount: 100, currency: 'EUR' } },
    ],
  )
  assert.equal(status, 'HELD')
  assert.equal(expiresAt.getTime(), clock.getTime() + holdTime)
  assert.deepEqual(await stockOf(a, b), [4, 3])
})

test('all items or none', async () => {
  const [a = '', b = ''] = await addProducts(5, 1)
  await assert.rejects(service.reserve(randomUUID(), [line(a, 5), line(b, 2)]), {
    code: 'INSUFFICIENT_STOCK',
    details: { items: [{ productId: b, requested: 2, available: 1 }] },
  })
  await assert.rejects(service.reserve(randomUUID(), [line(a, 5), line(randomUUID())]), {
    code: 'NOT_FOUND',
    details: { field: 'items.1.productId' },
  })
  assert.deepEqual(await stockOf(a, b), [5, 1])
})

test('the same reservation again, also at once, holds once and answers the same, at the first prices', async () => {
  const [a = '', b = ''] = await addProducts(10, 10)
  const orderId = randomUUID()
  const items = [line(a, 3), line(b, 4)]
  const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => service.reserve(orderId, items)))
  await client.query('UPDATE products SET price_amount = 999 WHERE id = $1', [a])
  for (const other of [...others, await service.reserve(orderId, [...items])])
    assert.deepEqual(other.lines, first?.lines)
  const reversed = await service.reserve(orderId, [...items].reverse())
  assert.deepEqual(reversed.lines, [...(first?.lines ?? [])].reverse())
  assert.deepEqual(await stockOf(a, b), [7, 6])
})

test('other items for the same order are refused', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await service.reserve(orderId, [line(a, 3)])
  await assert.rejects(service.reserve(orderId, [line(a, 4)]), { code: 'IDEMPOTENCY_KEY_REUSED' })
  assert.deepEqual(await stockOf(a), [7])
})

test('a release puts back once', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await service.reserve(orderId, [line(a, 3)])
  await Promise.all([1, 2, 3].map(() => service.release(orderId)))
  assert.deepEqual(await stockOf(a), [10])
  await assert.rejects(service.reserve(orderId, [line(a, 3)]), { code: 'RESERVATION_ENDED' })
})

test('a release that comes first refuses the reservation that comes late', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await service.release(orderId)
  await assert.rejects(service.reserve(orderId, [line(a, 3)]), { code: 'RESERVATION_ENDED' })
  assert.deepEqual(await stockOf(a), [10])
})

test('of a reservation and its release at once, nothing stays held', async () => {
  const [a = ''] = await addProducts(10)
  for (let n = 0; n < 20; n++) {
    const orderId = randomUUID()
    await Promise.allSettled([service.reserve(orderId, [line(a, 3)]), service.release(orderId)])
    assert.deepEqual(await stockOf(a), [10])
  }
})

test('buyers of the same products in every order never wait for each other, and never buy more than there is', async () => {
  const ids = await addProducts(30, 30, 30, 30)
  const attempts = Array.from({ length: 120 }, (_, n) => {
    const [a = '', b = ''] = [ids[n % 4], ids[(n * 3 + 1) % 4]]
    return service.reserve(randomUUID(), a === b ? [line(a)] : [line(a), line(b)])
  })
  const outcomes = await Promise.allSettled(attempts)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'INSUFFICIENT_STOCK')
  }
  for (const available of await stockOf(...ids)) assert.ok(available >= 0)
})

test('overdue holds end once, whoever sweeps, with an event for each', async () => {
  const [a = '', b = ''] = await addProducts(100, 100)
  const orderIds = Array.from({ length: 30 }, () => randomUUID())
  for (const orderId of orderIds) await service.reserve(orderId, [line(a), line(b, 2)])
  const kept = randomUUID()
  clock = new Date(clock.getTime() + holdTime)
  await service.reserve(kept, [line(a)])
  await service.sweep()
  await Promise.all(Array.from({ length: 4 }, () => service.sweep()))
  assert.deepEqual(await stockOf(a, b), [99, 100])
  const { rows } = await client.query("SELECT key FROM outbox WHERE type = 'reservation.expired' AND key = ANY($1)", [
    orderIds,
  ])
  assert.deepEqual(rows.map(({ key }) => key).sort(), [...orderIds].sort())
  await assert.rejects(service.reserve(orderIds[0] ?? '', [line(a), line(b, 2)]), { code: 'RESERVATION_ENDED' })
  await service.release(orderIds[1] ?? '')
  assert.deepEqual(await stockOf(a, b), [99, 100])
})

test('the database itself refuses stock below zero', async () => {
  const [a = ''] = await addProducts(1)
  await assert.rejects(
    client.query('UPDATE products SET available = -1 WHERE id = $1', [a]),
    /products_available_check/,
  )
})
