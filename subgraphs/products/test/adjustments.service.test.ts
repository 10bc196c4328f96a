import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { customer, manager, nobody, openProducts, type Products } from './open-products.ts'

let products: Products
before(async () => {
  products = await openProducts()
})
after(() => products.close())

const input = (productId: string, delta: number, given: { reason?: string; idempotencyKey?: string } = {}) => ({
  productId,
  delta,
  reason: 'Counted',
  idempotencyKey: randomUUID(),
  ...given,
})
const eventsOf = async (productId: string) =>
  (await products.eventsOf(productId)).filter(({ type }) => type === 'stock.low')

test('stock comes and goes by adjustments, which the ledger has with who did them', async () => {
  const { id, version } = await products.product()
  assert.equal((await products.adjust(id, 10)).available, 10)
  const after = await products.adjust(id, -4)
  assert.deepEqual([after.available, after.version], [6, version])
  assert.deepEqual(await products.stockOf(id), [6])
  const entries = await products.sql(
    `SELECT e.delta, held, reason, e.actor, note FROM stock_entries e JOIN stock_adjustments a ON a.id::text = reference
     WHERE e.product_id = $1 ORDER BY e.id`,
    [id],
  )
  const entry = { held: 0, reason: 'ADJUSTED', actor: `user:${manager.sub}`, note: 'Counted' }
  assert.deepEqual(entries, [
    { delta: 10, ...entry },
    { delta: -4, ...entry },
  ])
})

test('a repeat under the same key, also at once, changes nothing more', async () => {
  const { id } = await products.product()
  const asked = input(id, 7)
  const answers = await Promise.all(Array.from({ length: 8 }, () => products.service.adjustStock(manager, asked)))
  assert.deepEqual(new Set(answers.map(({ available }) => available)), new Set([7]))
  assert.deepEqual(await products.stockOf(id), [7])
})

test('the same key for another change is refused, and of another caller it is another key', async () => {
  const { id } = await products.product()
  const asked = input(id, 7)
  await products.service.adjustStock(manager, asked)
  for (const other of [{ delta: 8 }, { reason: 'Found' }, { productId: (await products.product()).id }]) {
    await assert.rejects(products.service.adjustStock(manager, { ...asked, ...other }), {
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
  }
  await products.service.adjustStock({ ...manager, sub: randomUUID() }, asked)
  assert.deepEqual(await products.stockOf(id), [14])
})

test('more than there is cannot be taken away, and the key can be used again then', async () => {
  const { id } = await products.product({ stock: 5 })
  await products.service.reserve(randomUUID(), [{ productId: id, quantity: 2 }])
  const asked = input(id, -4)
  await assert.rejects(products.service.adjustStock(manager, asked), {
    code: 'INSUFFICIENT_STOCK',
    details: { items: [{ productId: id, requested: 4, available: 3 }] },
  })
  await products.adjust(id, 1)
  await products.service.adjustStock(manager, asked)
  assert.deepEqual(await products.stockOf(id), [0])
})

test('50 adjustments of one stock at once all count', async () => {
  const { id } = await products.product()
  await Promise.all(Array.from({ length: 50 }, (_, n) => products.adjust(id, n + 1)))
  assert.deepEqual(await products.stockOf(id), [1275])
})

test('what breaks the rules is refused with the field at fault', async () => {
  const { id } = await products.product({ stock: 1 })
  const refused = (given: object, code: string, details = {}) =>
    assert.rejects(products.service.adjustStock(manager, { ...input(id, 1), ...given }), { code, details })
  for (const delta of [0, 1_000_001, -1_000_001, 0.5, Number.NaN]) {
    await refused({ delta }, 'BAD_USER_INPUT', { field: 'delta' })
  }
  for (const reason of ['', ' ', 'x'.repeat(201), 'a\0b', '\ud800']) {
    await refused({ reason }, 'BAD_USER_INPUT', { field: 'reason' })
  }
  for (const idempotencyKey of ['', 'x'.repeat(201), '\n', '\udfff']) {
    await refused({ idempotencyKey }, 'BAD_USER_INPUT', { field: 'idempotencyKey' })
  }
  for (const productId of ['', 'x', randomUUID()]) await refused({ productId }, 'NOT_FOUND')
  assert.deepEqual(await products.stockOf(id), [1])
})

test('a stock is never made so large that what is held does not fit when it comes back', async () => {
  const { id } = await products.product({ stock: 10 })
  const orderId = randomUUID()
  await products.service.reserve(orderId, [{ productId: id, quantity: 10 }])
  for (const [available, fits] of [
    [2 ** 31 - 2, false],
    [1_000_000_000, false],
    [999_999_999, true],
  ] as const) {
    await products.sql('UPDATE products SET available = $2 WHERE id = $1', [id, available])
    const adjusted = products.adjust(id, 1)
    await (fits ? adjusted : assert.rejects(adjusted, { code: 'BAD_USER_INPUT', details: { field: 'delta' } }))
  }
  await products.service.release(orderId)
  assert.equal((await products.store.findStock([id]))[0]?.available, 1_000_000_010)
  await products.sql('UPDATE products SET available = 11 WHERE id = $1', [id])
  assert.deepEqual(await products.stockOf(id), [11])
})

test('it needs the scope catalog:write', async () => {
  const { id } = await products.product()
  await assert.rejects(products.service.adjustStock(nobody, input(id, 1)), { code: 'UNAUTHENTICATED' })
  await assert.rejects(products.service.adjustStock(customer, input(id, 1)), { code: 'FORBIDDEN' })
})

test('stock.low tells once that a stock has run low, whatever made it so, and again after it was above', async () => {
  const product = await products.product({ stock: 7 })
  const { id, sku, name } = product
  const take = (quantity: number) => products.service.reserve(randomUUID(), [{ productId: id, quantity }])
  await take(1)
  assert.deepEqual(await eventsOf(id), [])
  await take(1)
  await take(1)
  await products.adjust(id, -1)
  await products.adjust(id, 10)
  await products.adjust(id, -13)
  const level = { sku, name, productId: id, threshold: 5 }
  const [first, second, ...others] = await eventsOf(id)
  assert.deepEqual([first?.data, second?.data, others], [{ ...level, available: 5 }, { ...level, available: 0 }, []])
  assert.ok(first?.sequence < second?.sequence)
})

test('of an archived product nobody is told that it runs low', async () => {
  const { id } = await products.product({ stock: 7 })
  await products.service.archiveProduct(manager, id)
  await products.adjust(id, -7)
  assert.deepEqual(await eventsOf(id), [])
})

test('a write with a fencing token smaller than one that was used is refused and leaves nothing', async () => {
  const { id } = await products.product({ stock: 5 })
  const { store } = products
  const [older, newer] = [await store.nextStockFence(), await store.nextStockFence()]
  const write = (fence: number) => {
    const adjustment = { id: randomUUID(), actor: 'test', at: products.clock.time, ...input(id, 1), note: 'Counted' }
    return store.adjustStock(adjustment, { fence, decide: () => {}, teller: { quietAbove: 0, of: () => undefined } })
  }
  await write(newer)
  for (const fence of [older, newer]) {
    await assert.rejects(write(fence), { code: 'IN_PROGRESS', details: { retryAfter: 1 } })
  }
  assert.deepEqual(await products.stockOf(id), [6])
})
