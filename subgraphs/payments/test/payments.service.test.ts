import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { paymentCaptured, paymentDeclined, paymentRefunded } from '#contracts/events.ts'
import type { Principal } from '#platform/principal.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { settings } from '../config.ts'
import { createContext } from '../loaders.ts'
import { customer, manager, openPayments, type Payments } from './open-payments.ts'

let payments: Payments
before(async () => {
  payments = await openPayments()
})
after(() => payments.close())

const nobody = { ...customer, sub: null, anonymous: true }
const stranger = { ...customer, sub: randomUUID() }

describe('payOrder', () => {
  test('captures the total of the order, and tells of it', async () => {
    const orderId = payments.order()
    const paid = await payments.pay(orderId)
    assert.equal(paid.status, 'CAPTURED')
    assert.deepEqual(paid.amount, { amount: 10_000, currency: 'EUR' })
    assert.equal(paid.refunded.amount, 0)
    const [row] = await payments.sql('SELECT * FROM outbox WHERE key = $1', [orderId])
    assert.equal(row.type, paymentCaptured.type)
    assert.equal(row.topic, 'payments')
    assert.equal(row.sequence, 1)
    assert.deepEqual(paymentCaptured.data.parse(row.data), {
      paymentId: paid.id,
      orderId,
      orderNumber: 'K7QM-2W9D',
      customerId: customer.sub,
      amount: { amount: 10_000, currency: 'EUR' },
    })
  })

  test('a callback that comes to the same instance is answered with, however long the pause between looks', async (t) => {
    const patient = await openPayments({ pause: () => new Promise(() => {}) })
    t.after(() => patient.close())
    assert.equal((await patient.pay(patient.order())).status, 'CAPTURED')
  })

  test('a decline is data and no error, and the order can be paid anew', async () => {
    const orderId = payments.order()
    const declined = await payments.pay(orderId, 'pm_card_visa_chargeDeclinedInsufficientFunds')
    assert.equal(declined.status, 'DECLINED')
    assert.equal(declined.declineReason, 'insufficient_funds')
    assert.equal((await payments.pay(orderId)).status, 'CAPTURED')
    assert.deepEqual(await payments.told(orderId), [paymentDeclined.type, paymentCaptured.type])
    const [row] = await payments.sql('SELECT data FROM outbox WHERE key = $1 ORDER BY id', [orderId])
    assert.deepEqual(paymentDeclined.data.parse(row.data), {
      paymentId: declined.id,
      orderId,
      orderNumber: 'K7QM-2W9D',
      customerId: customer.sub,
      reason: 'insufficient_funds',
      amount: { amount: 10_000, currency: 'EUR' },
    })
  })

  test('after 20 declines an order takes no payment, and nothing is asked of the provider', async () => {
    const orderId = payments.order()
    await payments.pay(orderId, 'pm_card_chargeDeclined')
    await payments.declined(orderId, 18)
    const key = randomUUID()
    const last = await payments.pay(orderId, 'pm_card_chargeDeclined', key)
    assert.equal(last.status, 'DECLINED')
    const charges = () => payments.sql('SELECT FROM sandbox.charges').then(({ length }) => length)
    const before = await charges()
    await assert.rejects(payments.pay(orderId), { code: 'ILLEGAL_TRANSITION', message: /too often/ })
    assert.equal(await charges(), before)
    assert.equal((await payments.pay(orderId, 'pm_card_chargeDeclined', key)).id, last.id)
  })

  test('after 30 declines in an hour a customer pays nothing until they are fewer, and nothing is asked of the provider', async (t) => {
    const most = settings.MAX_DECLINED_PAYMENTS.parse(undefined)
    assert.equal(most, 30)
    const bounded = await openPayments({ mostDeclinedAnHour: most })
    t.after(() => bounded.close())
    const decline = async (orderId: string, count: number) => {
      const { status } = await bounded.pay(orderId, 'pm_card_chargeDeclined')
      assert.equal(status, 'DECLINED')
      await bounded.declined(orderId, count - 1)
    }
    await decline(bounded.order(), 15)
    bounded.clock.ahead += 1_800_000
    await decline(bounded.order(), 14)
    const [last, key] = [bounded.order(), randomUUID()]
    const { id } = await bounded.pay(last, 'pm_card_chargeDeclined', key)

    const charges = () => bounded.sql('SELECT FROM sandbox.charges').then(({ length }) => length)
    const before = await charges()
    const orderId = bounded.order()
    const refusal = await bounded.pay(orderId).then(
      () => assert.fail('It was paid.'),
      (error) => error,
    )
    assert.equal(refusal.code, 'RATE_LIMITED')
    const { retryAfter } = refusal.details
    assert.ok(retryAfter > 0 && retryAfter <= 1_800, String(retryAfter))
    assert.equal(await charges(), before)
    assert.equal((await bounded.pay(last, 'pm_card_chargeDeclined', key)).id, id, 'an earlier key has its answer')
    const theirs = { orderId: bounded.order({ customerId: stranger.sub }), paymentMethod: 'pm_card_visa' }
    const paid = await bounded.service.payOrder(stranger, { ...theirs, idempotencyKey: randomUUID() })
    assert.equal(paid.status, 'CAPTURED')

    bounded.clock.ahead += retryAfter * 1_000
    assert.equal((await bounded.pay(orderId)).status, 'CAPTURED')
  })

  test('an order that costs nothing is paid without the provider, and ends without a refund', async (t) => {
    const asked: string[] = []
    const ask = (what: string) => async () => {
      asked.push(what)
      throw new Error('The provider was asked.')
    }
    const [pay, find, lookUp] = [ask('pay'), ask('find'), ask('lookUp')]
    const [cancel, refund] = [ask('cancel'), ask('refund')]
    const free = await openPayments({ provider: (sandbox) => ({ ...sandbox, pay, find, lookUp, cancel, refund }) })
    t.after(() => free.close())
    const [orderId, key] = [free.order({ total: { amount: 0, currency: 'EUR' } }), randomUUID()]
    const paid = await free.pay(orderId, 'pm_card_chargeDeclined', key)
    assert.equal(paid.status, 'CAPTURED')
    assert.deepEqual(await free.payment(paid.id), paid)
    const events = await free.sql('SELECT type, sequence, data FROM outbox WHERE key = $1', [orderId])
    assert.deepEqual(
      events.map(({ type, sequence, data }) => [type, sequence, paymentCaptured.data.parse(data).amount]),
      [[paymentCaptured.type, 1, { amount: 0, currency: 'EUR' }]],
    )
    assert.deepEqual(await free.pay(orderId, 'pm_card_chargeDeclined', key), paid)
    await assert.rejects(free.pay(orderId), { code: 'ILLEGAL_TRANSITION', message: /has a payment already/ })

    const refusal = { code: 'ILLEGAL_TRANSITION', message: 'Nothing was to be paid, so nothing can go back.' }
    await assert.rejects(free.refund(paid.id), refusal)
    await free.cancel(orderId)
    await free.reconcile()
    assert.deepEqual(await free.payment(paid.id), paid)
    assert.deepEqual(await free.sql('SELECT FROM refunds'), [])
    assert.deepEqual(await free.told(orderId), [paymentCaptured.type])
    assert.deepEqual(asked, [])
  })

  test('an order that costs nothing is paid once, however often it is asked for at the same time, and not once it is closed', async () => {
    const total = { amount: 0, currency: 'EUR' }
    const [orderId, key] = [payments.order({ total }), randomUUID()]
    const twins = await Promise.all(Array.from({ length: 8 }, () => payments.pay(orderId, 'pm_card_visa', key)))
    assert.equal(new Set(twins.map(({ id }) => id)).size, 1)
    assert.deepEqual(await payments.told(orderId), [paymentCaptured.type])
    const closed = payments.order({ total })
    await payments.cancel(closed)
    await assert.rejects(payments.pay(closed), { code: 'ILLEGAL_TRANSITION' })
    assert.deepEqual(await payments.told(closed), [])
  })

  test('past the time in which an order could be paid nothing is charged, and what was accepted before is answered as ever', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    const accepted = await payments.pay(orderId, 'pm_card_chargeDeclined', key)
    const past = new Date(Date.now() - 1)
    payments.order({ id: orderId, payableUntil: past })
    const charges = () => payments.sql('SELECT FROM sandbox.charges').then(({ length }) => length)
    const before = await charges()
    for (const id of [orderId, payments.order({ payableUntil: past })]) {
      const refusal = { code: 'ILLEGAL_TRANSITION', message: 'The time in which this order could be paid is over.' }
      await assert.rejects(payments.pay(id), refusal)
    }
    assert.equal(await charges(), before)
    assert.equal((await payments.sql('SELECT FROM payments WHERE order_id = $1', [orderId])).length, 1)
    assert.equal((await payments.pay(orderId, 'pm_card_chargeDeclined', key)).id, accepted.id)
    payments.order({ id: orderId, payableUntil: new Date(Date.now() + 3_600_000) })
    assert.equal((await payments.pay(orderId)).status, 'CAPTURED')
  })

  test('what the provider does not know is declined', async () => {
    assert.equal((await payments.pay(payments.order(), 'pm_unknown')).declineReason, 'resource_missing')
  })

  test('3-D Secure: the payment waits for its payer, who confirms or not', async () => {
    for (const [action, status] of [
      ['confirm', 'CAPTURED'],
      ['fail', 'DECLINED'],
    ] as const) {
      const waiting = await payments.pay(payments.order(), 'pm_card_authenticationRequired')
      assert.equal(waiting.status, 'PENDING')
      assert.equal(waiting.nextAction?.type, 'REDIRECT')
      const page = await request(waiting.nextAction?.url ?? '')
      assert.match(await page.body.text(), /<button>Confirm<\/button>/)
      const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } } as const
      await (await request(`${waiting.nextAction?.url}/${action}`, form)).body.dump()
      assert.equal((await payments.until(waiting.id, status)).nextAction, null)
    }
  })

  test('a payment that its payer left unconfirmed gives way to another', async () => {
    const orderId = payments.order()
    const left = await payments.pay(orderId, 'pm_card_authenticationRequired')
    assert.equal((await payments.pay(orderId)).status, 'CAPTURED')
    assert.equal((await payments.payment(left.id)).declineReason, 'canceled')
  })

  test('the same key and input is the same payment; with another input the key is refused', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    const first = await payments.pay(orderId, 'pm_card_visa', key)
    payments.orders.delete(orderId)
    assert.equal((await payments.pay(orderId, 'pm_card_visa', key)).id, first.id)
    await assert.rejects(payments.pay(orderId, 'pm_card_mastercard', key), { code: 'IDEMPOTENCY_KEY_REUSED' })
    await assert.rejects(payments.pay(payments.order(), 'pm_card_visa', key), { code: 'IDEMPOTENCY_KEY_REUSED' })
  })

  test("another's order and one that never was: the same words", async () => {
    const refusal = { code: 'NOT_FOUND', message: 'There is no such order.' }
    const ask = (orderId: string) =>
      payments.service.payOrder(stranger, { orderId, paymentMethod: 'pm_card_visa', idempotencyKey: 'k' })
    for (const id of [payments.order(), randomUUID(), 'none']) await assert.rejects(ask(id), refusal)
    const input = { orderId: payments.order(), paymentMethod: 'pm_card_visa', idempotencyKey: 'k' }
    await assert.rejects(payments.service.payOrder(nobody, input), { code: 'UNAUTHENTICATED' })
    await assert.rejects(payments.service.payOrder(manager, input), refusal)
  })

  test('an order that is not pending, is closed or has a payment takes none', async () => {
    const refusal = { code: 'ILLEGAL_TRANSITION' }
    await assert.rejects(payments.pay(payments.order({ status: 'PAID' })), refusal)
    const closed = payments.order()
    await payments.cancel(closed)
    await assert.rejects(payments.pay(closed), refusal)
    const paid = payments.order()
    await payments.pay(paid)
    await assert.rejects(payments.pay(paid), refusal)
  })

  test('what breaks a rule is refused', async () => {
    const orderId = payments.order()
    await assert.rejects(payments.pay(orderId, 'no name'), { code: 'BAD_USER_INPUT' })
    await assert.rejects(payments.pay(orderId, 'pm_card_visa', ' '), { code: 'BAD_USER_INPUT' })
  })
})

describe('refundPayment', () => {
  test('in parts and the rest, each of them told', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId)
    const part = await payments.refund(id, 3_000)
    assert.deepEqual([part.status, part.refunded.amount], ['PARTIALLY_REFUNDED', 3_000])
    const rest = await payments.refund(id)
    assert.deepEqual([rest.status, rest.refunded.amount], ['REFUNDED', 10_000])
    assert.deepEqual((await payments.booked(id)).refunds, [3_000, 7_000])
    const rows = await payments.sql('SELECT data, sequence FROM outbox WHERE type = $1 AND key = $2 ORDER BY id', [
      paymentRefunded.type,
      orderId,
    ])
    const events = rows.map(({ data, sequence }) => ({ ...paymentRefunded.data.parse(data), sequence }))
    assert.deepEqual(
      events.map(({ amount, refunded, full, sequence }) => [amount.amount, refunded.amount, full, sequence]),
      [
        [3_000, 3_000, false, 2],
        [7_000, 10_000, true, 3],
      ],
    )
    assert.deepEqual(
      events.map(({ orderNumber }) => orderNumber),
      ['K7QM-2W9D', 'K7QM-2W9D'],
    )
  })

  test('of a payment from before order numbers were kept, all is told but the number', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId)
    await payments.sql('UPDATE payments SET order_number = NULL WHERE id = $1', [id])
    await payments.refund(id)
    const [row] = await payments.sql('SELECT data FROM outbox WHERE key = $1 AND type = $2', [
      orderId,
      paymentRefunded.type,
    ])
    assert.equal('orderNumber' in paymentRefunded.data.parse(row.data), false)
  })

  test('the same key and input is one refund; with another input the key is refused', async () => {
    const { id } = await payments.pay(payments.order())
    const key = randomUUID()
    await payments.refund(id, 10_000, key)
    assert.equal((await payments.refund(id, 10_000, key)).status, 'REFUNDED')
    assert.deepEqual((await payments.booked(id)).refunds, [10_000])
    await assert.rejects(payments.refund(id, 5_000, key), { code: 'IDEMPOTENCY_KEY_REUSED' })
    const other = await payments.pay(payments.order())
    await assert.rejects(payments.refund(other.id, 10_000, key), { code: 'IDEMPOTENCY_KEY_REUSED' })
  })

  test('one key for two payments at once is one refund, and the other is refused', async () => {
    const paid = await Promise.all([payments.pay(payments.order()), payments.pay(payments.order())])
    const key = randomUUID()
    const results = await Promise.allSettled(paid.map(({ id }) => payments.refund(id, 1_000, key)))
    const refused = results.filter((result) => result.status === 'rejected')
    assert.deepEqual(
      refused.map(({ reason }) => reason.code),
      ['IDEMPOTENCY_KEY_REUSED'],
    )
  })

  test('never more than is left, and nothing of what was not captured', async () => {
    const { id } = await payments.pay(payments.order())
    for (const amount of [10_001, 0, -1]) await assert.rejects(payments.refund(id, amount), { code: 'BAD_USER_INPUT' })
    await payments.refund(id, 9_999)
    await assert.rejects(payments.refund(id, 2), { code: 'BAD_USER_INPUT' })
    await payments.refund(id)
    await assert.rejects(payments.refund(id), { code: 'ILLEGAL_TRANSITION' })
    for (const method of ['pm_card_chargeDeclined', 'pm_card_authenticationRequired']) {
      const { id: other } = await payments.pay(payments.order(), method)
      await assert.rejects(payments.refund(other), { code: 'ILLEGAL_TRANSITION' })
    }
  })

  test('without the scope FORBIDDEN, without a sign-in UNAUTHENTICATED, without a payment NOT_FOUND', async () => {
    const { id: paymentId } = await payments.pay(payments.order())
    const input = { paymentId, reason: 'r', idempotencyKey: 'k' }
    await assert.rejects(payments.service.refundPayment(customer, input), { code: 'FORBIDDEN' })
    await assert.rejects(payments.service.refundPayment(nobody, input), { code: 'UNAUTHENTICATED' })
    for (const none of [randomUUID(), 'none']) await assert.rejects(payments.refund(none), { code: 'NOT_FOUND' })
  })

  test('a refund that ends later counts from then on', async () => {
    const { id } = await payments.pay(payments.order(), 'pm_card_pendingRefund')
    const asked = await payments.refund(id)
    await assert.rejects(payments.refund(id), { code: 'ILLEGAL_TRANSITION' })
    assert.ok(asked.refunded.amount === 0 || asked.status === 'REFUNDED')
    await payments.until(id, 'REFUNDED')
  })

  test('a refund that fails leaves the money to be refunded, and is told to people', async () => {
    const { id } = await payments.pay(payments.order(), 'pm_card_refundFail')
    await payments.refund(id)
    const failed = async () =>
      (await payments.sql(`SELECT FROM refunds WHERE payment_id = $1 AND status = 'FAILED'`, [id])).length
    await waitFor('the refund failed', async () => (await failed()) === 1)
    assert.equal((await payments.payment(id)).status, 'CAPTURED')
    assert.ok(payments.troubles.includes('a refund failed'))
    await payments.refund(id, 1)
  })
})

describe('who sees what', () => {
  test('the payments of 50 orders are found by one query, oldest first', async () => {
    const ids = Array.from({ length: 50 }, () => payments.order())
    for (const id of ids.slice(0, 2)) {
      await payments.pay(id, 'pm_card_chargeDeclined')
      await payments.pay(id)
    }
    let queries = 0
    const findByOrders: Payments['store']['findByOrders'] = (...args) => {
      queries += 1
      return payments.store.findByOrders(...args)
    }
    const { paymentsOfOrder } = createContext(customer, { ...payments.store, findByOrders })
    const found = await Promise.all(ids.map((id) => paymentsOfOrder.load(id)))
    assert.equal(queries, 1)
    assert.deepEqual(
      found.map((all) => all.map(({ status }) => status)),
      [...Array(2).fill(['DECLINED', 'CAPTURED']), ...Array(48).fill([])],
    )
  })

  test('payments are seen by who placed the order and with orders:read, and to others they do not exist', async () => {
    const order = payments.order()
    const { id } = await payments.pay(order)
    const seen = async (viewer: Principal) => {
      const context = createContext(viewer, payments.store)
      const [one, all] = await Promise.all([context.payments.load(id), context.paymentsOfOrder.load(order)])
      return [one?.id, all.length]
    }
    for (const viewer of [customer, manager]) assert.deepEqual(await seen(viewer), [id, 1])
    for (const viewer of [stranger, nobody, { ...stranger, scopes: ['users:read'] }]) {
      assert.deepEqual(await seen(viewer), [undefined, 0])
    }
  })
})
