import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { ServiceError } from '#platform/errors.ts'
import type { Order } from '../domain/order.ts'
import { input, type Orders, openOrders, someone } from './open-orders.ts'

let orders: Orders
let service: ReturnType<Orders['service']>
const customer = someone()
const manager = someone('orders:read', 'orders:fulfil')

before(async () => {
  orders = await openOrders()
  service = orders.service()
})
after(() => orders.close())

const place = () => service.createOrder(customer, input())
const captured = ({ id: orderId, total: amount }: Order, eventId: string = randomUUID(), by = service) =>
  by.paymentCaptured(eventId, { paymentId: randomUUID(), orderId, amount })
const refunded = ({ id: orderId, total }: Order, amount: number, eventId: string = randomUUID()) =>
  service.paymentRefunded(eventId, {
    paymentId: randomUUID(),
    orderId,
    amount: { ...total, amount },
    full: amount === total.amount,
  })

/** The status of an order, its hold and what was told of it. */
const stateOf = async (id: string) => {
  const { status, cancelReason } = await orders.find(id)
  const told = (await orders.eventsOf(id)).slice(1).map((type) => type.replace('order.', ''))
  return [status, cancelReason, orders.holds.get(id), ...told]
}

test('an order that is paid has its items sold and is PAID, once for each event, also at once', async () => {
  const order = await place()
  const eventId = randomUUID()
  await Promise.all([1, 2, 3, 4].map(() => captured(order, eventId)))
  await captured(order, eventId)
  assert.deepEqual(await stateOf(order.id), ['PAID', null, 'sold', 'paid'])
})

test('a payment that comes after the hold ended cancels the order, so that it is given back', async () => {
  const order = await place()
  orders.holds.set(order.id, 'ended')
  await captured(order)
  assert.deepEqual(await stateOf(order.id), ['CANCELLED', 'EXPIRED', 'ended', 'cancelled'])
  await service.reservationExpired(randomUUID(), order.id)
  assert.deepEqual(await stateOf(order.id), ['CANCELLED', 'EXPIRED', 'ended', 'cancelled'])
})

test('a payment that comes after a cancellation changes nothing, and sells nothing', async () => {
  const order = await place()
  await service.cancelOrder(customer, { orderId: order.id })
  await captured(order)
  assert.deepEqual(await stateOf(order.id), ['CANCELLED', 'REQUESTED', 'held', 'cancelled'])
})

test('a cancellation while the items are being sold is not overwritten', async () => {
  const order = await place()
  const slow = orders.service({
    products: {
      ...orders.products,
      async commit(orderId) {
        const sold = await orders.products.commit(orderId)
        await service.cancelOrder(customer, { orderId })
        return sold
      },
    },
  })
  await captured(order, randomUUID(), slow)
  assert.deepEqual(await stateOf(order.id), ['CANCELLED', 'REQUESTED', 'sold', 'cancelled'])
})

test('hold ends while committing: the order is paid or cancelled, as products decided', async () => {
  for (const sold of [true, false]) {
    const order = await place()
    const slow = orders.service({
      products: {
        ...orders.products,
        async commit(orderId) {
          if (!sold) orders.holds.set(orderId, 'ended')
          return orders.products.commit(orderId)
        },
      },
    })
    await captured(order, randomUUID(), slow)
    if (!sold) await service.reservationExpired(randomUUID(), order.id)
    assert.equal((await orders.find(order.id)).status, sold ? 'PAID' : 'CANCELLED')
    assert.equal((await orders.eventsOf(order.id)).length, 2)
  }
})

test('products that are away delay a payment, and lose nothing of it', async () => {
  const order = await place()
  const away = orders.service({
    products: {
      ...orders.products,
      commit: async () => {
        throw new ServiceError('SUBGRAPH_UNAVAILABLE', 'away')
      },
    },
  })
  const eventId = randomUUID()
  await assert.rejects(captured(order, eventId, away), { retryable: true })
  assert.equal((await orders.find(order.id)).status, 'PENDING')
  await captured(order, eventId)
  assert.equal((await orders.find(order.id)).status, 'PAID')
})

test('a payment of another amount, or for an order that never was, is refused for good', async () => {
  const order = await place()
  const other = { ...order, total: { ...order.total, amount: order.total.amount - 1 } }
  await assert.rejects(captured(other), { code: 'BAD_USER_INPUT', retryable: false })
  const never = { ...order, id: randomUUID() }
  await assert.rejects(captured(never), { code: 'NOT_FOUND', retryable: false })
  await assert.rejects(refunded(never, 1), { code: 'NOT_FOUND', retryable: false })
  assert.deepEqual(await stateOf(order.id), ['PENDING', null, 'held'])
})

test('a declined payment is written down, and the order can be paid again; after a cancellation it is overtaken', async () => {
  const [order, ended] = [await place(), await place()]
  const declined = ({ id: orderId }: Order) =>
    service.paymentDeclined(randomUUID(), { paymentId: randomUUID(), orderId })
  await declined(order)
  await captured(order)
  assert.deepEqual(
    (await orders.find(order.id)).history.map(({ from, to, reason }) => [from, to, reason]),
    [
      [null, 'PENDING', null],
      ['PENDING', 'PENDING', 'PAYMENT_DECLINED'],
      ['PENDING', 'PAID', null],
    ],
  )
  await service.cancelOrder(customer, { orderId: ended.id })
  await declined(ended)
  assert.equal((await orders.find(ended.id)).history.length, 2)
})

test('what is given back in part is written down; all of it before shipping ends the order, later it does not', async () => {
  const [order, shipped] = [await place(), await place()]
  for (const each of [order, shipped]) await captured(each)
  const eventId = randomUUID()
  await Promise.all([1, 2, 3].map(() => refunded(order, 400, eventId)))
  assert.deepEqual(await stateOf(order.id), ['PAID', null, 'sold', 'paid'])
  assert.equal((await orders.find(order.id)).history.at(-1)?.reason, 'REFUNDED 400 EUR')
  await refunded(order, order.total.amount)
  assert.deepEqual(await stateOf(order.id), ['CANCELLED', 'REFUNDED', 'sold', 'paid', 'cancelled'])
  await service.shipOrder(manager, { orderId: shipped.id, trackingNumber: 'T' })
  await refunded(shipped, shipped.total.amount)
  assert.deepEqual(await stateOf(shipped.id), ['SHIPPED', null, 'sold', 'paid', 'shipped'])
  assert.equal((await orders.find(shipped.id)).history.at(-1)?.reason, 'REFUNDED 1000 EUR')
})

test('a full refund that is told before the payment ends the order; the payment, told later, changes nothing', async () => {
  const order = await place()
  await refunded(order, 400)
  assert.deepEqual(await stateOf(order.id), ['PENDING', null, 'held'])
  await refunded(order, order.total.amount)
  const ended = ['CANCELLED', 'REFUNDED', 'held', 'cancelled']
  assert.deepEqual(await stateOf(order.id), ended)
  await captured(order)
  assert.deepEqual(await stateOf(order.id), ended)
  await assert.rejects(service.shipOrder(manager, { orderId: order.id, trackingNumber: 'T' }), {
    code: 'ILLEGAL_TRANSITION',
  })
})

test('full refund while shipping: it is shipped with the refund written down, or cancelled and not shipped', async () => {
  for (let n = 0; n < 20; n++) {
    const order = await place()
    await captured(order)
    const [shipping] = await Promise.allSettled([
      service.shipOrder(manager, { orderId: order.id, trackingNumber: 'T' }),
      refunded(order, order.total.amount),
    ])
    const { status, history } = await orders.find(order.id)
    assert.equal(shipping.status, status === 'SHIPPED' ? 'fulfilled' : 'rejected')
    assert.ok(history.some(({ reason }) => reason === 'REFUNDED 1000 EUR'))
    assert.ok(status === 'SHIPPED' || status === 'CANCELLED')
  }
})

test('cancel while reserving: an order that is not placed yet is NOT_FOUND, and can be cancelled once it is', async () => {
  let orderId = ''
  const slow = orders.service({
    products: {
      ...orders.products,
      async reserve(id, items) {
        orderId = id
        const hold = await orders.products.reserve(id, items)
        await assert.rejects(service.cancelOrder(customer, { orderId: id }), { code: 'NOT_FOUND' })
        return hold
      },
    },
  })
  await slow.createOrder(customer, input())
  await service.cancelOrder(customer, { orderId })
  assert.deepEqual(await stateOf(orderId), ['CANCELLED', 'REQUESTED', 'held', 'cancelled'])
})

test('an erased account ends what is not shipped yet, and tells of it', async () => {
  const owner = someone()
  const mine = [await service.createOrder(owner, input()), await service.createOrder(owner, input())]
  if (mine[1]) await captured(mine[1])
  const eventId = randomUUID()
  await Promise.all([1, 2].map(() => service.customerErased(eventId, owner.sub)))
  for (const { id } of mine) {
    const [status, reason, , ...told] = await stateOf(id)
    assert.deepEqual([status, reason, told.at(-1)], ['CANCELLED', 'ACCOUNT_ERASED', 'cancelled'])
  }
})
