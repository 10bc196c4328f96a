import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Order } from '../domain/order.ts'
import { input, type Orders, openOrders, someone } from './open-orders.ts'

let orders: Orders
let service: ReturnType<Orders['service']>
const customer = someone()
const stranger = someone()
const support = someone('orders:read')
const manager = someone('orders:read', 'orders:fulfil')
const nobody = { sub: null, scopes: [] }

before(async () => {
  orders = await openOrders()
  service = orders.service()
})
after(() => orders.close())

const place = () => service.createOrder(customer, input())

/** An order that is paid. */
async function placePaid(): Promise<Order> {
  const { id: orderId, total: amount } = await place()
  await service.paymentCaptured(randomUUID(), { paymentId: randomUUID(), orderId, amount })
  return orders.find(orderId)
}

test('a paid order is shipped and delivered, each told once, and a repeat is answered with the order', async () => {
  const { id } = await placePaid()
  const shipped = await service.shipOrder(manager, { orderId: id, trackingNumber: ' 1Z 999 ' })
  assert.deepEqual([shipped.status, shipped.trackingNumber], ['SHIPPED', '1Z 999'])
  assert.deepEqual(await service.shipOrder(manager, { orderId: id, trackingNumber: 'other' }), shipped)
  const delivered = await service.deliverOrder(manager, id)
  assert.equal(delivered.status, 'DELIVERED')
  assert.deepEqual(await service.deliverOrder(manager, id), delivered)
  assert.deepEqual(await service.shipOrder(manager, { orderId: id, trackingNumber: 'other' }), delivered)
  assert.deepEqual(await orders.find(id), delivered)
  assert.deepEqual(await orders.eventsOf(id), ['order.created', 'order.paid', 'order.shipped', 'order.delivered'])
  assert.deepEqual(
    delivered.history.map(({ to, by, byId }) => [to, by, byId]),
    [
      ['PENDING', 'CUSTOMER', customer.sub],
      ['PAID', 'SYSTEM', null],
      ['SHIPPED', 'STAFF', manager.sub],
      ['DELIVERED', 'STAFF', manager.sub],
    ],
  )
})

test('an order is cancelled before it is shipped, by its customer or by staff, with a reason, once', async () => {
  const [first, second] = [await place(), await placePaid()]
  const cancelled = await service.cancelOrder(customer, { orderId: first.id, reason: 'Changed my mind' })
  assert.deepEqual([cancelled.status, cancelled.cancelReason], ['CANCELLED', 'Changed my mind'])
  assert.deepEqual(await service.cancelOrder(customer, { orderId: first.id, reason: 'other' }), cancelled)
  const refused = await service.cancelOrder(manager, { orderId: second.id })
  assert.deepEqual([refused.cancelReason, refused.history.at(-1)?.by], ['REQUESTED', 'STAFF'])
  assert.deepEqual(await orders.eventsOf(first.id), ['order.created', 'order.cancelled'])
  assert.deepEqual(await orders.eventsOf(second.id), ['order.created', 'order.paid', 'order.cancelled'])
})

test('the event of a cancellation tells whether the customer, staff or the shop itself ended the order', async () => {
  const [byCustomer, byStaff, bySystem] = [await place(), await place(), await place()]
  await service.cancelOrder(customer, { orderId: byCustomer.id })
  await service.cancelOrder(manager, { orderId: byStaff.id })
  await service.reservationExpired(randomUUID(), bySystem.id)
  for (const [{ id }, by] of [
    [byCustomer, 'CUSTOMER'],
    [byStaff, 'STAFF'],
    [bySystem, 'SYSTEM'],
  ] as const) {
    const [row] = await orders.sql(`SELECT data FROM outbox WHERE key = $1 AND type = 'order.cancelled'`, [id])
    assert.equal(row.data.by, by)
  }
})

test('what the life of an order does not allow is refused', async () => {
  const pending = await place()
  const ship = (orderId: string) => service.shipOrder(manager, { orderId, trackingNumber: 'T' })
  await assert.rejects(ship(pending.id), { code: 'ILLEGAL_TRANSITION' })
  await assert.rejects(service.deliverOrder(manager, pending.id), { code: 'ILLEGAL_TRANSITION' })
  const { id } = await placePaid()
  await assert.rejects(service.deliverOrder(manager, id), { code: 'ILLEGAL_TRANSITION' })
  await ship(id)
  await assert.rejects(service.cancelOrder(customer, { orderId: id }), { code: 'ILLEGAL_TRANSITION' })
  await service.cancelOrder(customer, { orderId: pending.id })
  await assert.rejects(ship(pending.id), { code: 'ILLEGAL_TRANSITION' })
  for (const trackingNumber of ['', ' ', 'x'.repeat(101), 'a\nb']) {
    await assert.rejects(service.shipOrder(manager, { orderId: id, trackingNumber }), {
      code: 'BAD_USER_INPUT',
      details: { field: 'trackingNumber' },
    })
  }
  const tooLong = { orderId: id, reason: 'x'.repeat(201) }
  await assert.rejects(service.cancelOrder(customer, tooLong), { code: 'BAD_USER_INPUT', details: { field: 'reason' } })
})

test("another's order is NOT_FOUND to cancel, in the words of one that never was; staff need the scope", async () => {
  const { id } = await place()
  const missing = { code: 'NOT_FOUND', message: 'There is no such order.' }
  for (const orderId of [id, randomUUID(), 'x']) {
    await assert.rejects(service.cancelOrder(stranger, { orderId }), missing)
    await assert.rejects(service.shipOrder(stranger, { orderId, trackingNumber: 'T' }), missing)
    await assert.rejects(service.deliverOrder(stranger, orderId), missing)
  }
  await assert.rejects(service.cancelOrder(support, { orderId: id }), { code: 'FORBIDDEN' })
  await assert.rejects(service.shipOrder(customer, { orderId: id, trackingNumber: 'T' }), { code: 'FORBIDDEN' })
  await assert.rejects(service.deliverOrder(customer, id), { code: 'FORBIDDEN' })
  await assert.rejects(service.cancelOrder(nobody, { orderId: id }), { code: 'UNAUTHENTICATED' })
  assert.equal((await orders.find(id)).status, 'PENDING')
})

test('cancel and ship at once: one of them happens, and the other is refused', async () => {
  for (let n = 0; n < 20; n++) {
    const { id } = await placePaid()
    const [cancelled, shipped] = await Promise.allSettled([
      service.cancelOrder(customer, { orderId: id }),
      service.shipOrder(manager, { orderId: id, trackingNumber: 'T' }),
    ])
    const { status } = await orders.find(id)
    const [done, refused] = status === 'CANCELLED' ? [cancelled, shipped] : [shipped, cancelled]
    assert.equal(done.status, 'fulfilled')
    assert.equal(refused.status === 'rejected' && refused.reason.code, 'ILLEGAL_TRANSITION')
    assert.equal((await orders.eventsOf(id)).length, 3)
  }
})

test("a customer's orders are theirs and the support's, newest first, and all orders the support's", async () => {
  const owner = someone()
  const placed: Order[] = []
  for (let n = 0; n < 3; n++) placed.unshift(await service.createOrder(owner, input()))
  const filter = { customerId: owner.sub }
  const page = { limit: 2, after: undefined }
  assert.deepEqual(await service.ordersOf(owner, filter, page), placed, 'one more than asked for')
  const after = placed[0] && { createdAt: placed[0].createdAt, id: placed[0].id }
  assert.deepEqual(await service.ordersOf(support, filter, { ...page, after }), placed.slice(1))
  assert.deepEqual(await service.ordersOf(owner, { ...filter, status: 'CANCELLED' }, page), [])
  await assert.rejects(service.ordersOf(customer, filter, page), { code: 'NOT_FOUND' })
  assert.deepEqual(await service.orders(support, {}, page), placed)
  await assert.rejects(service.orders(owner, filter, page), { code: 'FORBIDDEN' })
  await assert.rejects(service.orders(nobody, filter, page), { code: 'UNAUTHENTICATED' })
})

test('staff find orders by status, customer, number and time', async () => {
  const owner = someone()
  const [older, newer] = [await service.createOrder(owner, input()), await service.createOrder(owner, input())]
  await orders.sql("UPDATE orders SET created_at = created_at - interval '1 day' WHERE id = $1", [older.id])
  await service.cancelOrder(owner, { orderId: older.id })
  const yesterday = new Date(newer.createdAt.getTime() - 3_600_000)
  const found = async (filter: Parameters<typeof service.orders>[1]) => {
    const list = await service.orders(support, { customerId: owner.sub, ...filter }, { limit: 10, after: undefined })
    return list.map(({ id }) => id)
  }
  assert.deepEqual(await found({}), [newer.id, older.id])
  assert.deepEqual(await found({ status: 'CANCELLED' }), [older.id])
  assert.deepEqual(await found({ number: newer.number }), [newer.id])
  assert.deepEqual(await found({ createdFrom: yesterday }), [newer.id])
  assert.deepEqual(await found({ createdTo: yesterday }), [older.id])
  assert.deepEqual(await found({ createdFrom: newer.createdAt, createdTo: newer.createdAt }), [])
  assert.deepEqual(await found({ customerId: 'x' }), [])
  assert.deepEqual(await found({ customerId: randomUUID() }), [])
})
