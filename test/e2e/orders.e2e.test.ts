import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import type { Health } from '#platform/health.ts'
import { serviceNames } from '../../tools/services.ts'
import { createTestDatabase } from '../infra/parts.ts'
import { type Account, type GraphQLResult, startTestStack, type TestStack } from '../infra/stack.ts'
import { startTcpProxy, type TcpProxy } from '../infra/tcp-proxy.ts'
import { waitFor } from '../infra/wait.ts'
import { codesOf } from './refused.ts'

/** Orders through the gateway, with all that follows in products and payments. */

const initial = 10

let stack: TestStack
let customer: Account
let manager: Account
let eventLog: TcpProxy
before(async () => {
  const url = new URL(await createTestDatabase())
  eventLog = await startTcpProxy(Number(url.port), url.hostname)
  url.host = `127.0.0.1:${eventLog.port}`
  const env = { EVENTS_DATABASE_URL: url.href, RESERVATION_SWEEP_INTERVAL: '1', PAYMENT_PATIENCE: '1' }
  stack = await startTestStack({ extra: Object.fromEntries(serviceNames.map((name) => [name, { env }])) })
  customer = await stack.signUp()
  manager = await stack.employ('MANAGER')
})
after(async () => {
  await stack.stop()
  await eventLog.stop()
})

const shown = `order {
  id status cancelReason trackingNumber history { from to reason }
  payments { id status amount { amount } refunded { amount } }
}`
const change = (name: string, input: object, { token } = customer) => stack.mutate(name, shown, input, token)
const cancel = (orderId: string, who = customer) => change('cancelOrder', { orderId, reason: 'Too slow' }, who)
const ship = (orderId: string) => change('shipOrder', { orderId, trackingNumber: 'T-1' }, manager)
const refund = (paymentId: string) =>
  stack.mutate(
    'refundPayment',
    'payment { status }',
    { paymentId, reason: 'Sorry', idempotencyKey: randomUUID() },
    manager.token,
  )

/** An order of one thing of its own, of which there are ten. */
async function place(): Promise<{ id: string; product: string }> {
  const [product = ''] = await stack.addProducts(initial)
  return { id: await stack.placeOrder(customer.token, product), product }
}

async function find(id: string) {
  const { data } = await stack.graphql(
    `query ($id: ID!) { ${shown.replace('order', 'order(id: $id)')} }`,
    { id },
    customer.token,
  )
  return data.order
}

/** The order once it has a status, its payment too where one is named. */
function until(id: string, status: string, payment?: string) {
  return waitFor(`order ${id} is ${status}`, async () => {
    const order = await find(id)
    const settled = payment === undefined || order.payments.at(-1)?.status === payment
    return order.status === status && settled && order
  })
}

async function placePaid() {
  const order = await place()
  const payment = await stack.payOrder(customer.token, order.id)
  await until(order.id, 'PAID')
  return { ...order, payment }
}

async function stockOf(product: string): Promise<number> {
  const [{ available }] = await stack.sql('products', 'SELECT available FROM products WHERE id = $1', [product])
  return available
}

/** Waits until a cancelled order's payment went back, and sees to it that the provider gave back once. */
async function untilRefundedOnce(id: string, cancelReason: string): Promise<void> {
  const order = await waitFor(`the refund of ${id}`, async () => {
    const found = await find(id).catch(() => undefined)
    return found?.payments?.[0]?.status === 'REFUNDED' && found
  })
  assert.deepEqual([order.status, order.cancelReason, order.payments.length], ['CANCELLED', cancelReason, 1])
  const refunds = await stack.sql('payments', 'SELECT amount FROM sandbox.refunds WHERE charge_id = $1', [
    order.payments[0].id,
  ])
  assert.deepEqual(refunds, [order.payments[0].amount])
}

/** Lets the time of an order's hold be over: what a clock ends is what a slow machine outlives. */
const overdue = (id: string) =>
  stack.sql('products', "UPDATE reservations SET expires_at = now() - interval '1 second' WHERE order_id = $1", [id])

/** Lets an order's hold end now: younger than any outage that products may take a busy machine for. */
async function endHold(id: string): Promise<void> {
  await stack.sql('products', "UPDATE reservations SET created_at = now() + interval '1 hour' WHERE order_id = $1", [
    id,
  ])
  await overdue(id)
}

/** Begins a payment that is captured when its payer confirms it, and not before. Returns how. */
async function payUnconfirmed(orderId: string): Promise<() => Promise<void>> {
  const input = { orderId, paymentMethod: 'pm_card_authenticationRequired', idempotencyKey: randomUUID() }
  const { payload, errors } = await stack.mutate('payOrder', 'payment { nextAction { url } }', input, customer.token)
  assert.deepEqual(errors, [])
  return async () => {
    const { statusCode, body } = await request(`${payload.payment.nextAction.url}/confirm`, { method: 'POST' })
    await body.dump()
    assert.ok(statusCode < 400, String(statusCode))
  }
}

const backInStock = (product: string) =>
  waitFor('its items are for sale again', async () => (await stockOf(product)) === initial)

describe('the life of an order', () => {
  test('is placed, paid, shipped and delivered, and its history tells so', async () => {
    const { id, product } = await placePaid()
    assert.equal((await ship(id)).payload.order.trackingNumber, 'T-1')
    const { payload, errors } = await change('deliverOrder', { orderId: id }, manager)
    assert.deepEqual(errors, [])
    const steps = payload.order.history.map(({ from, to }: { from: string; to: string }) => `${from} ${to}`)
    assert.deepEqual(steps, ['null PENDING', 'PENDING PAID', 'PAID SHIPPED', 'SHIPPED DELIVERED'])
    assert.equal(await stockOf(product), initial - 1)
  })

  test('that is cancelled after it was paid: the money goes back, and the items are for sale again', async () => {
    const { id, product } = await placePaid()
    const { payload } = await cancel(id)
    assert.deepEqual([payload.order.status, payload.order.cancelReason], ['CANCELLED', 'Too slow'])
    const { payments } = await until(id, 'CANCELLED', 'REFUNDED')
    assert.deepEqual(payments[0].refunded, payments[0].amount)
    await backInStock(product)
  })

  test('that costs nothing is paid all the same; cancelled, its items are for sale again', async () => {
    const [product = ''] = await stack.addProducts(initial)
    await stack.sql('products', 'UPDATE products SET price_amount = 0 WHERE id = $1', [product])
    const id = await stack.placeOrder(customer.token, product)
    // A means of payment that the sandbox declines.
    await stack.payOrder(customer.token, id, 'pm_card_chargeDeclined')
    await until(id, 'PAID', 'CAPTURED')
    assert.deepEqual((await cancel(id)).errors, [])
    await backInStock(product)
    assert.equal((await find(id)).status, 'CANCELLED')
  })

  test('that is refunded in full before it is shipped: it is cancelled, and its items are for sale again', async () => {
    const { id, product, payment } = await placePaid()
    assert.deepEqual((await refund(payment)).errors, [])
    assert.equal((await until(id, 'CANCELLED')).cancelReason, 'REFUNDED')
    await backInStock(product)
  })

  test('that nobody pays ends with its hold, and cannot be paid then', async () => {
    const { id, product } = await place()
    await endHold(id)
    assert.equal((await until(id, 'CANCELLED')).cancelReason, 'EXPIRED')
    await backInStock(product)
    const input = { orderId: id, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() }
    assert.deepEqual(codesOf(await stack.mutate('payOrder', 'payment { id }', input, customer.token)), [
      'ILLEGAL_TRANSITION',
    ])
  })

  test('that is past its time is not charged, though its hold has not ended yet', async () => {
    const { id } = await place()
    const payableUntil = async () =>
      (await stack.graphql('query ($id: ID!) { order(id: $id) { payableUntil } }', { id }, customer.token)).data.order
        .payableUntil
    const [{ expires_at: heldUntil }] = await stack.sql(
      'products',
      'SELECT expires_at FROM reservations WHERE order_id = $1',
      [id],
    )
    assert.equal(await payableUntil(), heldUntil.toISOString())
    await stack.sql('orders', "UPDATE orders SET held_until = now() - interval '1 second' WHERE id = $1", [id])
    const input = { orderId: id, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() }
    assert.deepEqual(codesOf(await stack.mutate('payOrder', 'payment { id }', input, customer.token)), [
      'ILLEGAL_TRANSITION',
    ])
    const { status, payments } = await find(id)
    assert.deepEqual([status, payments], ['PENDING', []])
    await cancel(id)
    assert.equal(await payableUntil(), null)
  })

  test("another's order is NOT_FOUND to see, to pay and to cancel, in the words of one that never was", async () => {
    const { id } = await place()
    const stranger = await stack.signUp()
    const attempts: ((orderId: string) => Promise<GraphQLResult>)[] = [
      (orderId) => stack.graphql('query ($id: ID!) { order(id: $id) { id } }', { id: orderId }, stranger.token),
      (orderId) => {
        const input = { orderId, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() }
        return stack.mutate('payOrder', 'payment { id }', input, stranger.token)
      },
      (orderId) => cancel(orderId, stranger),
    ]
    for (const attempt of attempts) {
      const [theirs, nobodys] = [await attempt(id), await attempt(randomUUID())]
      assert.deepEqual(theirs.errors, nobodys.errors)
      assert.deepEqual(codesOf(theirs), ['NOT_FOUND'])
    }
    assert.equal((await find(id)).status, 'PENDING')
    assert.deepEqual((await find(id)).payments, [])
  })
})

describe('races between services', () => {
  test('capture after the hold ended: the order is cancelled, and the money goes back, once', async () => {
    const { id, product } = await place()
    const confirm = await payUnconfirmed(id)
    await stack.processes.orders.stop()
    await endHold(id)
    await backInStock(product)
    await confirm()
    stack.processes.orders.start()
    await untilRefundedOnce(id, 'EXPIRED')
    await backInStock(product)
  })

  test('capture after cancellation: it is refunded once', async () => {
    const { id, product } = await place()
    // Captured, and nobody tells: the shop learns of it when it asks, after the cancellation.
    const paying = stack.payOrder(customer.token, id, 'pm_sandbox_lost')
    await waitFor('the charge', async () => (await find(id)).payments.length === 1)
    await cancel(id)
    await paying
    await untilRefundedOnce(id, 'Too slow')
    await backInStock(product)
  })

  test('pay and cancel at once: cancelled, and nothing is kept', async () => {
    const { id, product } = await place()
    await Promise.all([stack.payOrder(customer.token, id).catch(() => {}), cancel(id)])
    await backInStock(product)
    const { payments } = await waitFor('no payment is left open or kept', async () => {
      const order = await find(id)
      return (
        order.payments.every(({ status }: { status: string }) => ['REFUNDED', 'DECLINED'].includes(status)) && order
      )
    })
    assert.ok(payments.length <= 1)
  })

  test('cancel and ship at once: one of them happens, and money and stock follow it', async () => {
    const { id, product } = await placePaid()
    const answers = await Promise.all([cancel(id), ship(id)])
    assert.deepEqual(answers.flatMap(codesOf), ['ILLEGAL_TRANSITION'])
    const { status } = await find(id)
    if (status === 'SHIPPED') {
      assert.equal((await find(id)).payments[0].status, 'CAPTURED')
      assert.equal(await stockOf(product), initial - 1)
    } else {
      await until(id, 'CANCELLED', 'REFUNDED')
      await backInStock(product)
    }
  })

  test('full refund while shipping: shipped with its money back, or cancelled and not shipped', async () => {
    const { id, product, payment } = await placePaid()
    const [refunded, shipped] = await Promise.all([refund(payment), ship(id)])
    assert.deepEqual(refunded.errors, [])
    const status = codesOf(shipped)[0] === 'ILLEGAL_TRANSITION' ? 'CANCELLED' : 'SHIPPED'
    await until(id, status, 'REFUNDED')
    if (status === 'CANCELLED') await backInStock(product)
    else assert.equal(await stockOf(product), initial - 1)
  })

  test('orders down during callback: the order is paid once orders is back', async () => {
    const { id } = await place()
    const confirm = await payUnconfirmed(id)
    await stack.processes.orders.stop()
    await confirm()
    await waitFor('the capture', async () => {
      const [row] = await stack.sql('payments', 'SELECT status FROM payments WHERE order_id = $1', [id])
      return row.status === 'CAPTURED'
    })
    stack.processes.orders.start()
    await waitFor('orders', async () => (await find(id).catch(() => undefined))?.status === 'PAID')
  })

  test('products down during createOrder: refused with a code that says to retry, nothing is reserved, and the key is free', async () => {
    const [product = ''] = await stack.addProducts(initial)
    const items = [{ productId: product, quantity: 1 }]
    const key = randomUUID()
    await stack.processes.products.stop()
    const refused = await stack.createOrder(customer.token, items, key)
    assert.deepEqual(codesOf(refused), ['SUBGRAPH_UNAVAILABLE'])
    assert.equal(refused.errors[0]?.extensions.retryAfter, 1)
    assert.equal(await stockOf(product), initial)
    stack.processes.products.start()
    await waitFor('the order', async () => codesOf(await stack.createOrder(customer.token, items, key)).length === 0)
    assert.equal(await stockOf(product), initial - 1)
  })

  test('products down during capture: the order is paid once products is back', async () => {
    const { id } = await place()
    await stack.processes.products.stop()
    await stack.payOrder(customer.token, id)
    await waitFor('the capture', async () => (await find(id)).payments[0]?.status === 'CAPTURED')
    assert.equal((await find(id)).status, 'PENDING')
    stack.processes.products.start()
    await until(id, 'PAID')
  })

  test('event log away beyond the hold: an order that was paid meanwhile is PAID once it is back, and keeps its items', async () => {
    const { id, product } = await place()
    const seen = async () => {
      const { body } = await request(`${stack.urlOf('products')}/health`)
      return ((await body.json()) as Health).dependencies.events
    }
    await eventLog.cut()
    const gone = await waitFor('products to see it', async () => {
      const events = await seen()
      return events?.status === 'DOWN' && events
    })
    await stack.payOrder(customer.token, id)
    await overdue(id)
    // Time for some turns of the sweeper.
    const turns = Date.parse(gone.checkedAt) + 4_000
    await waitFor('some turns', async () => Date.parse((await seen())?.checkedAt ?? '') > turns)
    assert.equal((await find(id)).status, 'PENDING')
    await eventLog.restore()
    await until(id, 'PAID', 'CAPTURED')
    assert.equal(await stockOf(product), initial - 1)
  })
})
