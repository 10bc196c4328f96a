import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import { loadService } from '#platform/grpc/service.ts'
import { serveRpcs } from '../../../test/infra/rpcs.ts'
import { createRpcHandlers } from '../grpc.ts'
import { address, heldUntil, input, type Orders, openOrders, productId, someone } from './open-orders.ts'

const service = loadService<OrderServiceDefinition>('orders.v1.OrderService')

let orders: Orders
let served: Awaited<ReturnType<typeof serveRpcs<OrderServiceDefinition>>>
let own: ReturnType<Orders['service']>
before(async () => {
  orders = await openOrders()
  own = orders.service()
  served = await serveRpcs('orders', service, createRpcHandlers(own))
})
after(async () => {
  await served.close()
  await orders.close()
})

const staff = someone('orders:read', 'orders:fulfil')
const told = {
  payableUntil: heldUntil.toISOString(),
  total: { amount: 1_000, currency: 'EUR' },
  items: [{ productId, sku: 'S', name: 'Thing', quantity: 2, unitPrice: { amount: 500, currency: 'EUR' } }],
}

test('GetOrder tells of an order, whoever placed it, and ListOrders of those of a customer, newest first, in pages', async () => {
  const peer = served.as('payments')
  const customer = someone()
  const placed = []
  for (let count = 0; count < 5; count++) placed.push(await own.createOrder(customer, input()))
  await own.createOrder(someone(), input())
  const [{ id, number } = assert.fail()] = placed
  const order = { id, number, customerId: customer.sub, status: 'PENDING', ...told }
  assert.deepEqual(await peer.getOrder({ id: id.toUpperCase() }), order)
  await assert.rejects(peer.getOrder({ id: randomUUID() }), { code: 'NOT_FOUND' })

  const pages: string[][] = []
  for (let pageToken = ''; pages.length === 0 || pageToken !== ''; ) {
    const answer = await peer.listOrders({ customerId: customer.sub, pageSize: 2, pageToken })
    pages.push(answer.orders.map(({ id }) => id))
    pageToken = answer.nextPageToken
  }
  assert.deepEqual(
    pages.map(({ length }) => length),
    [2, 2, 1],
  )
  assert.deepEqual(new Set(pages.flat()), new Set(placed.map(({ id }) => id)))
  assert.deepEqual((await peer.listOrders({ customerId: randomUUID() })).orders, [])
  for (const [request, field] of [
    [{ customerId: 'x' }, 'customerId'],
    [{ customerId: customer.sub, pageSize: 101 }, 'pageSize'],
    [{ customerId: customer.sub, pageToken: 'x' }, 'pageToken'],
  ] as const) {
    await assert.rejects(peer.listOrders(request), { code: 'BAD_USER_INPUT', details: { field } })
  }
})

test('an order tells until when it can be paid, as long as it waits for that; one from before it was kept tells nothing', async () => {
  const { id } = await own.createOrder(someone(), input())
  const until = async () => (await served.as('payments').getOrder({ id })).payableUntil
  assert.equal(await until(), heldUntil.toISOString())
  await orders.sql('UPDATE orders SET held_until = NULL WHERE id = $1', [id])
  assert.equal(await until(), '')
  await orders.sql('UPDATE orders SET held_until = $2 WHERE id = $1', [id, heldUntil])
  await own.reservationExpired(randomUUID(), id)
  assert.equal(await until(), '')
})

test('CreateOrder and CancelOrder act for whoever asks, once for each key', async () => {
  const rpcs = served.as('gateway')
  const customer = someone()
  const request = {
    items: [{ productId, quantity: 2 }],
    shippingAddress: address,
    idempotencyKey: randomUUID(),
  }
  await assert.rejects(rpcs.createOrder(request), { code: 'UNAUTHENTICATED' })
  const create = (given: object) => served.onBehalfOf(customer, () => rpcs.createOrder({ ...request, ...given }))
  const order = await create({})
  assert.deepEqual(order, { ...told, id: order.id, number: order.number, customerId: customer.sub, status: 'PENDING' })
  assert.deepEqual(await create({}), order)
  await assert.rejects(create({ items: [{ productId, quantity: 3 }] }), { code: 'IDEMPOTENCY_KEY_REUSED' })
  await assert.rejects(create({ shippingAddress: null }), { code: 'BAD_USER_INPUT' })

  const cancel = (who: typeof customer) => served.onBehalfOf(who, () => rpcs.cancelOrder({ id: order.id }))
  await assert.rejects(rpcs.cancelOrder({ id: order.id }), { code: 'UNAUTHENTICATED' })
  await assert.rejects(cancel(someone()), { code: 'NOT_FOUND' })
  assert.equal((await cancel(customer)).status, 'CANCELLED')
})

test('UpdateOrderStatus moves an order on for staff, and tells of no payment', async () => {
  const rpcs = served.as('gateway')
  const customer = someone()
  const { id } = await own.createOrder(customer, input())
  const update = (given: object, who = staff) => served.onBehalfOf(who, () => rpcs.updateOrderStatus({ id, ...given }))
  await assert.rejects(update({ status: 'CANCELLED' }, customer), { code: 'FORBIDDEN' })
  for (const status of ['PAID', 'PENDING', 'ORDER_STATUS_UNSPECIFIED']) {
    await assert.rejects(update({ status }), { code: 'BAD_USER_INPUT', details: { field: 'status' } })
  }
  await assert.rejects(update({ status: 'SHIPPED', trackingNumber: 'T' }), { code: 'ILLEGAL_TRANSITION' })
  await orders.sql(`UPDATE orders SET status = 'PAID' WHERE id = $1`, [id])
  await assert.rejects(update({ status: 'SHIPPED' }), {
    code: 'BAD_USER_INPUT',
    details: { field: 'trackingNumber' },
  })
  assert.equal((await update({ status: 'SHIPPED', trackingNumber: 'T' })).status, 'SHIPPED')
  assert.equal((await update({ status: 'DELIVERED' })).status, 'DELIVERED')
  await assert.rejects(update({ status: 'CANCELLED' }), { code: 'ILLEGAL_TRANSITION' })
})
