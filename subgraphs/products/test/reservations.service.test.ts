import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createInstance, holdTime, openProducts, type Products } from './open-products.ts'

let products: Products
let service: Products['service']

before(async () => {
  products = await openProducts()
  service = products.service
})
after(() => products.close())

/** New products with this much stock each, which cost a euro and so many cents. */
async function addProducts(...stocks: number[]): Promise<string[]> {
  const { id: categoryId } = await products.category()
  const added = stocks.map((stock, index) =>
    products.product({ stock, categoryId, price: { amount: 100 + index, currency: 'EUR' } }),
  )
  return (await Promise.all(added)).map(({ id }) => id)
}

const stockOf = (...ids: string[]) => products.stockOf(...ids)
const statusOf = async (orderId: string) => {
  const [row] = await products.sql('SELECT status FROM reservations WHERE order_id = $1', [orderId])
  return row?.status
}
/** The ledger of a product after its first stock: reason, change of what is available and of what is held, actor. */
const ledgerOf = async (productId: string) => {
  const rows = await products.sql(
    'SELECT reason, delta, held, actor FROM stock_entries WHERE product_id = $1 ORDER BY id OFFSET 1',
    [productId],
  )
  return rows.map(({ reason, delta, held, actor }) => `${reason} ${delta} ${held} ${actor}`)
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
  assert.equal(expiresAt.getTime(), products.clock.time.getTime() + holdTime)
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
  await products.sql('UPDATE products SET price_amount = 999 WHERE id = $1', [a])
  for (const other of [...others, await service.reserve(orderId, [...items])])
    assert.deepEqual(other.lines, first?.lines)
  const reversed = await service.reserve(orderId, [...items].reverse())
  assert.deepEqual(reversed.lines, [...(first?.lines ?? [])].reverse())
  assert.deepEqual(await stockOf(a, b), [7, 6])
})

test('a repeat does not wait for whoever changes its products', async () => {
  const [a = ''] = await addProducts(5)
  const orderId = randomUUID()
  const { lines } = await service.reserve(orderId, [line(a)])
  await products.sql('BEGIN')
  await products.sql('SELECT FROM products WHERE id = $1 FOR UPDATE', [a])
  try {
    assert.deepEqual((await service.reserve(orderId, [line(a)])).lines, lines)
  } finally {
    await products.sql('ROLLBACK')
  }
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
  const attempt = (n: number) => {
    const [a = '', b = ''] = [ids[n % 4], ids[(n * 3 + 1) % 4]]
    return service.reserve(randomUUID(), a === b ? [line(a)] : [line(a), line(b)])
  }
  // As many at once as there are connections, so that none waits for one.
  for (let n = 0; n < 120; n += 10) {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, of) => attempt(n + of)))
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'INSUFFICIENT_STOCK')
    }
  }
  for (const available of await stockOf(...ids)) assert.ok(available >= 0)
})

test('overdue holds end once, whoever sweeps, with an event for each', async () => {
  const [a = '', b = ''] = await addProducts(100, 100)
  const orderIds = Array.from({ length: 30 }, () => randomUUID())
  for (const orderId of orderIds) await service.reserve(orderId, [line(a), line(b, 2)])
  const kept = randomUUID()
  products.clock.time = new Date(products.clock.time.getTime() + holdTime)
  await service.reserve(kept, [line(a)])
  await service.sweep()
  await Promise.all(Array.from({ length: 4 }, () => service.sweep()))
  assert.deepEqual(await stockOf(a, b), [99, 100])
  const rows = await products.sql("SELECT key FROM outbox WHERE type = 'reservation.expired' AND key = ANY($1)", [
    orderIds,
  ])
  assert.deepEqual(rows.map(({ key }) => key).sort(), [...orderIds].sort())
  await assert.rejects(service.reserve(orderIds[0] ?? '', [line(a), line(b, 2)]), { code: 'RESERVATION_ENDED' })
  await service.release(orderIds[1] ?? '')
  await assert.rejects(service.commit(orderIds[2] ?? ''), { code: 'RESERVATION_ENDED' })
  assert.deepEqual(await stockOf(a, b), [99, 100])
})

test('overdue holds that are too many for one transaction end all the same, in smaller turns', async (t) => {
  const [a = ''] = await addProducts(10)
  for (let n = 0; n < 5; n++) await service.reserve(randomUUID(), [line(a)])
  products.clock.time = new Date(products.clock.time.getTime() + holdTime)
  await products.sql(`
    CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT count(*) FROM changed) > 2 THEN RAISE 'too many at once'; END IF;
      RETURN NULL;
    END $$`)
  await products.sql(`
    CREATE TRIGGER few AFTER UPDATE ON reservations REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_many()`)
  t.after(() => products.sql('DROP TRIGGER few ON reservations'))
  await assert.rejects(service.sweep(), /too many at once/)
  for (let turn = 0; turn < 10; turn++) await service.sweep().catch(() => {})
  assert.deepEqual(await stockOf(a), [10])
})

test('the database itself refuses stock below zero', async () => {
  const [a = ''] = await addProducts(1)
  await assert.rejects(
    products.sql('UPDATE products SET available = -1 WHERE id = $1', [a]),
    /products_available_check/,
  )
})

test('what is committed is sold: it is held no longer, never expires and cannot be released', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await service.reserve(orderId, [line(a, 3)])
  await Promise.all([1, 2, 3].map(() => service.commit(orderId)))
  products.clock.time = new Date(products.clock.time.getTime() + 2 * holdTime)
  await service.sweep()
  assert.equal(await statusOf(orderId), 'COMMITTED')
  await assert.rejects(service.release(orderId), { code: 'ILLEGAL_TRANSITION' })
  await assert.rejects(service.reserve(orderId, [line(a, 3)]), { code: 'RESERVATION_ENDED' })
  assert.deepEqual(await stockOf(a), [7])
  assert.deepEqual(await ledgerOf(a), ['RESERVED -3 3 orders', 'COMMITTED 0 -3 orders'])
})

test('a hold that is overdue can be committed until it is swept', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await service.reserve(orderId, [line(a, 3)])
  products.clock.time = new Date(products.clock.time.getTime() + 2 * holdTime)
  await service.commit(orderId)
  await service.sweep()
  assert.deepEqual(await stockOf(a), [7])
})

/** Lets time pass. */
const wait = (milliseconds: number) => {
  products.clock.time = new Date(products.clock.time.getTime() + milliseconds)
}
const now = () => products.clock.time

test('a process that has just started ends no hold from before: payments that waited for it come first', async () => {
  const [a = ''] = await addProducts(10)
  const [paid, unpaid] = [randomUUID(), randomUUID()]
  for (const orderId of [paid, unpaid]) await service.reserve(orderId, [line(a, 3)])
  wait(2 * holdTime)
  const restarted = (await createInstance({ store: products.store, now })).service
  await restarted.sweep()
  wait(holdTime - 1)
  await restarted.sweep()
  assert.equal(await statusOf(unpaid), 'HELD')
  await restarted.commit(paid)
  wait(1)
  await restarted.sweep()
  assert.deepEqual([await statusOf(paid), await statusOf(unpaid)], ['COMMITTED', 'EXPIRED'])
  assert.deepEqual(await stockOf(a), [7])
})

test('event log away beyond the hold time: no hold ends until it is back for as long as payments need to get here', async () => {
  const [a = ''] = await addProducts(10)
  const log = { away: false }
  const instance = (await createInstance({ store: products.store, now, canTell: async () => !log.away })).service
  wait(holdTime)
  const [paid, unpaid] = [randomUUID(), randomUUID()]
  for (const orderId of [paid, unpaid]) await instance.reserve(orderId, [line(a, 3)])
  log.away = true
  for (let turn = 0; turn < 3; turn++) {
    wait(holdTime)
    assert.equal(await instance.sweep(), false)
  }
  log.away = false
  await instance.sweep()
  wait(holdTime - 1)
  await instance.sweep()
  assert.deepEqual([await statusOf(paid), await statusOf(unpaid)], ['HELD', 'HELD'])
  await instance.commit(paid)
  wait(1)
  await instance.sweep()
  assert.deepEqual([await statusOf(paid), await statusOf(unpaid)], ['COMMITTED', 'EXPIRED'])
  assert.equal((await products.sql('SELECT FROM outbox WHERE key = $1', [unpaid])).length, 1)
})

test('a database that took no sweep counts as away: holds end only when it has for a while', async () => {
  const [a = ''] = await addProducts(10)
  const disk = { full: false }
  const { expire } = products.store
  const store: Products['store'] = {
    ...products.store,
    expire: (expiry) => (disk.full ? Promise.reject(new Error('disk full')) : expire(expiry)),
  }
  const instance = (await createInstance({ store, now })).service
  wait(holdTime)
  const orderId = randomUUID()
  await instance.reserve(orderId, [line(a)])
  wait(holdTime)
  disk.full = true
  for (let turn = 0; turn < 10; turn++) await assert.rejects(instance.sweep(), /disk full/)
  disk.full = false
  wait(holdTime - 1)
  await instance.sweep()
  assert.equal(await statusOf(orderId), 'HELD')
  wait(1)
  await instance.sweep()
  assert.equal(await statusOf(orderId), 'EXPIRED')
})

test('nothing can be committed that was never held, or was put back', async () => {
  const [a = ''] = await addProducts(10)
  const orderId = randomUUID()
  await assert.rejects(service.commit(orderId), { code: 'NOT_FOUND' })
  await service.reserve(orderId, [line(a, 3)])
  await service.release(orderId)
  await assert.rejects(service.commit(orderId), { code: 'RESERVATION_ENDED' })
  assert.deepEqual(await stockOf(a), [10])
})

test('a cancelled order brings back what it held and what it was sold, once for each event and once for each order', async () => {
  const [a = ''] = await addProducts(20)
  const [held, sold, unknown] = [randomUUID(), randomUUID(), randomUUID()]
  for (const orderId of [held, sold]) await service.reserve(orderId, [line(a, 3)])
  await service.commit(sold)
  const eventId = randomUUID()
  for (const orderId of [held, sold, unknown]) await service.orderCancelled(randomUUID(), orderId)
  await Promise.all([1, 2, 3].map(() => service.orderCancelled(eventId, sold)))
  assert.deepEqual(await Promise.all([held, sold, unknown].map(statusOf)), ['RELEASED', 'RETURNED', 'RELEASED'])
  assert.deepEqual(await stockOf(a), [20])
  await assert.rejects(service.reserve(unknown, [line(a)]), { code: 'RESERVATION_ENDED' })
  await assert.rejects(service.commit(sold), { code: 'RESERVATION_ENDED' })
  assert.deepEqual((await ledgerOf(a)).slice(-2), ['RELEASED 3 -3 orders', 'RETURNED 3 0 orders'])
})

test('of commit, release and expiry at once exactly one happens', async () => {
  const [a = ''] = await addProducts(1_000)
  for (let n = 0; n < 20; n++) {
    const orderId = randomUUID()
    await service.reserve(orderId, [line(a, 3)])
    const before = await stockOf(a)
    products.clock.time = new Date(products.clock.time.getTime() + 2 * holdTime)
    const outcomes = await Promise.allSettled([service.commit(orderId), service.release(orderId), service.sweep()])
    const status = await statusOf(orderId)
    assert.ok(['COMMITTED', 'RELEASED', 'EXPIRED'].includes(status), status)
    assert.equal(outcomes[0]?.status, status === 'COMMITTED' ? 'fulfilled' : 'rejected')
    assert.deepEqual(await stockOf(a), [(before[0] ?? 0) + (status === 'COMMITTED' ? 0 : 3)])
  }
})
