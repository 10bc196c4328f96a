import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import { loadService } from '#platform/grpc/service.ts'
import { serveRpcs } from '../../../test/infra/rpcs.ts'
import { createRpcHandlers } from '../grpc.ts'
import { holdTime, manager, openProducts, type Products } from './open-products.ts'

const service = loadService<ProductServiceDefinition>('products.v1.ProductService')

let products: Products
let served: Awaited<ReturnType<typeof serveRpcs<ProductServiceDefinition>>>
let rpcs: ReturnType<typeof served.as>

before(async () => {
  products = await openProducts()
  served = await serveRpcs('products', service, createRpcHandlers(products.service))
  rpcs = served.as('orders')
})
after(async () => {
  await served.close()
  await products.close()
})

test('GetProduct tells of a product, archived ones included, and GetProducts of those that exist, in the order asked', async () => {
  const [a, b] = [await products.product({ stock: 3 }), await products.product({ stock: 4 })]
  const told = ({ id, sku, name, price }: typeof a, available: number, archived = false) => ({
    ...{ id, sku, name, price },
    ...{ available, archived },
  })
  assert.deepEqual(await rpcs.getProduct({ id: a.id.toUpperCase() }), told(a, 3))
  await products.service.archiveProduct(manager, b.id)
  assert.deepEqual(await rpcs.getProduct({ id: b.id }), told(b, 0, true))
  const { products: found } = await rpcs.getProducts({ ids: [b.id, randomUUID(), 'x', a.id] })
  assert.deepEqual(found, [told(b, 0, true), told(a, 3)])
  await assert.rejects(rpcs.getProduct({ id: randomUUID() }), { code: 'NOT_FOUND' })
})

test('a reservation is held and sold, and one that is put back cannot be', async () => {
  const { id, sku, name, price } = await products.product({ stock: 10 })
  const [sold, dropped] = [randomUUID(), randomUUID()]
  const items = [{ productId: id, quantity: 2 }]
  const { expiresAt, ...reservation } = await rpcs.reserveStock({ orderId: sold, items })
  assert.deepEqual(reservation, { orderId: sold, lines: [{ productId: id, sku, name, unitPrice: price, quantity: 2 }] })
  assert.equal(Date.parse(expiresAt), products.clock.time.getTime() + holdTime)
  await rpcs.commitReservation({ orderId: sold })
  await assert.rejects(rpcs.releaseReservation({ orderId: sold }), { code: 'ILLEGAL_TRANSITION' })
  await rpcs.reserveStock({ orderId: dropped, items })
  await rpcs.releaseReservation({ orderId: dropped })
  await assert.rejects(rpcs.commitReservation({ orderId: dropped }), { code: 'RESERVATION_ENDED' })
  assert.deepEqual(await products.stockOf(id), [8])
})

test('UpdateStock acts for a user with the scope catalog:write, and for nobody else', async () => {
  const { id } = await products.product({ stock: 10 })
  const change = { productId: id, delta: -3, reason: 'Broken', idempotencyKey: randomUUID() }
  const update = async (scopes: string[]) => {
    const principal = { sub: randomUUID(), sid: 's1', scopes, anonymous: false, address: null }
    return served.onBehalfOf(principal, () => rpcs.updateStock(change))
  }
  await assert.rejects(rpcs.updateStock(change), { code: 'UNAUTHENTICATED' })
  await assert.rejects(update([]), { code: 'FORBIDDEN' })
  assert.equal((await update(['catalog:write'])).available, 7)
  assert.deepEqual(await products.stockOf(id), [7])
})

test('what breaks the rules is refused with the field at fault', async () => {
  const refused = (call: Promise<unknown>, field: string) =>
    assert.rejects(call, { code: 'BAD_USER_INPUT', details: { field } })
  await refused(rpcs.getProduct({ id: 'x' }), 'id')
  await refused(rpcs.getProducts({ ids: Array.from({ length: 101 }, () => randomUUID()) }), 'ids')
  for (const call of [rpcs.reserveStock, rpcs.commitReservation, rpcs.releaseReservation]) {
    await refused(call({ orderId: 'x' }), 'orderId')
  }
  await refused(rpcs.reserveStock({ orderId: randomUUID(), items: [] }), 'items')
  const items = [{ productId: randomUUID(), quantity: 0 }]
  await refused(rpcs.reserveStock({ orderId: randomUUID(), items }), 'items.0.quantity')
})
