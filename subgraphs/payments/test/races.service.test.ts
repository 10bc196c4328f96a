import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../../test/infra/wait.ts'
import { chargeCallback, openPayments, type Payments } from './open-payments.ts'

/** What may happen to a payment at the same time, twice, late or in another order. */

let payments: Payments
/** Comes before an order is found. */
let beforeOrder: Promise<void> | undefined
before(async () => {
  payments = await openPayments({ beforeOrder: async () => beforeOrder })
})
after(() => payments.close())

const captured = ['payment.captured']
const codeOf = ({ reason }: PromiseRejectedResult) => reason.code

describe('races', () => {
  test('two payments of one order at once: one is charged, the other refused', async () => {
    const orderId = payments.order()
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => payments.pay(orderId)))
    const [paid, ...others] = results.filter(({ status }) => status === 'fulfilled')
    assert.ok(paid)
    assert.equal(others.length, 0)
    const refused = results.filter((result) => result.status === 'rejected')
    assert.deepEqual(new Set(refused.map(codeOf)), new Set(['ILLEGAL_TRANSITION']))
    const [{ count }] = await payments.sql(
      'SELECT count(*)::int FROM sandbox.charges c JOIN payments p USING (id) WHERE order_id = $1',
      [orderId],
    )
    assert.equal(count, 1)
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('the same payment asked for many times at once: one charge, one answer', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    const paid = await Promise.all(Array.from({ length: 8 }, () => payments.pay(orderId, 'pm_card_visa', key)))
    assert.deepEqual([...new Set(paid.map(({ id, status }) => `${id} ${status}`))], [`${paid[0]?.id} CAPTURED`])
    assert.equal((await payments.booked(paid[0]?.id ?? '')).captured, 10_000)
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('a repeat that learns of its order only when that is paid gets the payment', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    const found = Promise.withResolvers<void>()
    beforeOrder = found.promise
    const repeat = payments.pay(orderId, 'pm_card_visa', key)
    beforeOrder = undefined
    const { id } = await payments.pay(orderId, 'pm_card_visa', key)
    payments.order({ id: orderId, status: 'PAID' })
    found.resolve()
    assert.equal((await repeat).id, id)
    await assert.rejects(payments.pay(orderId), { code: 'ILLEGAL_TRANSITION', message: /PAID/ })
  })

  test('a callback that comes a hundred times, also at once: one capture, one event', async () => {
    const orderId = payments.order()
    const waiting = await payments.pay(orderId, 'pm_card_authenticationRequired')
    const body = chargeCallback(waiting, 'captured')
    // As many at once as there are connections, so that none waits for one.
    for (let n = 0; n < 100; n += 10) {
      const statuses = await Promise.all(Array.from({ length: 10 }, () => payments.callback(body)))
      assert.deepEqual([...new Set(statuses)], [204])
    }
    assert.equal((await payments.payment(waiting.id)).status, 'CAPTURED')
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('the sandbox sends each callback three times: one capture, one event', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId, 'pm_sandbox_duplicate')
    await payments.until(id, 'CAPTURED')
    await waitFor(
      'all callbacks are taken',
      async () => (await payments.sql('SELECT FROM sandbox.callbacks')).length === 0,
    )
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('callbacks out of order: what comes late changes nothing', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId, 'pm_sandbox_reorder')
    const paid = await payments.until(id, 'CAPTURED')
    await waitFor(
      'all callbacks are taken',
      async () => (await payments.sql('SELECT FROM sandbox.callbacks')).length === 0,
    )
    for (const status of ['processing', 'declined', 'captured']) {
      assert.equal(await payments.callback(chargeCallback(paid, status)), 204)
    }
    assert.deepEqual(await payments.payment(id), paid)
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('a capture after a decline goes back, and tells nobody', async () => {
    const orderId = payments.order()
    const waiting = await payments.pay(orderId, 'pm_card_authenticationRequired')
    await payments.callback(chargeCallback(waiting, 'declined'))
    await payments.sql(`UPDATE sandbox.charges SET status = 'captured' WHERE id = $1`, [waiting.id])
    await payments.callback(chargeCallback(waiting, 'captured'))
    await payments.reconcile()
    await payments.callback(chargeCallback(waiting, 'captured'))
    await payments.reconcile()
    assert.deepEqual(await payments.booked(waiting.id), { captured: 10_000, refunds: [10_000] })
    assert.equal((await payments.payment(waiting.id)).status, 'DECLINED')
    assert.deepEqual(await payments.told(orderId), ['payment.declined'])
  })
})

describe('an order is cancelled', () => {
  test('what was captured goes back, once, however often the event comes', async () => {
    const [orderId, event] = [payments.order(), randomUUID()]
    const { id } = await payments.pay(orderId)
    await Promise.all(Array.from({ length: 4 }, () => payments.cancel(orderId, event)))
    await payments.cancel(orderId)
    await payments.reconcile()
    assert.equal((await payments.payment(id)).status, 'REFUNDED')
    assert.deepEqual((await payments.booked(id)).refunds, [10_000])
    assert.deepEqual(await payments.told(orderId), [...captured, 'payment.refunded'])
    const keys = await payments.sql('SELECT requested_by, idempotency_key FROM refunds WHERE payment_id = $1', [id])
    assert.deepEqual(keys, [{ requested_by: 'shop', idempotency_key: `refund:${id}` }])
  })

  test('after a part went back, the rest follows', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId)
    await payments.refund(id, 4_000)
    await payments.cancel(orderId)
    await payments.reconcile()
    assert.deepEqual((await payments.booked(id)).refunds, [4_000, 6_000])
    assert.equal((await payments.payment(id)).status, 'REFUNDED')
  })

  test('a capture after the cancellation is refunded once', async () => {
    const orderId = payments.order()
    const waiting = await payments.pay(orderId, 'pm_card_authenticationRequired')
    await payments.cancel(orderId)
    await payments.sql(`UPDATE sandbox.charges SET status = 'captured' WHERE id = $1`, [waiting.id])
    await Promise.all(Array.from({ length: 5 }, () => payments.callback(chargeCallback(waiting, 'captured'))))
    await Promise.all([payments.reconcile(), payments.reconcile()])
    await payments.until(waiting.id, 'REFUNDED')
    assert.deepEqual(await payments.booked(waiting.id), { captured: 10_000, refunds: [10_000] })
    assert.deepEqual(await payments.told(orderId), [...captured, 'payment.refunded'])
  })

  test('a capture and the cancellation at the same time: it goes back, whichever is first', async () => {
    for (let round = 0; round < 10; round++) {
      const orderId = payments.order()
      const waiting = await payments.pay(orderId, 'pm_card_authenticationRequired')
      await payments.sql(`UPDATE sandbox.charges SET status = 'captured' WHERE id = $1`, [waiting.id])
      await Promise.all([payments.callback(chargeCallback(waiting, 'captured')), payments.cancel(orderId)])
      await payments.reconcile()
      await payments.until(waiting.id, 'REFUNDED')
      assert.deepEqual((await payments.booked(waiting.id)).refunds, [10_000])
    }
  })

  test('a payment that nobody has confirmed is given up at the provider', async () => {
    const orderId = payments.order()
    const waiting = await payments.pay(orderId, 'pm_card_authenticationRequired')
    await payments.cancel(orderId)
    await payments.service.reconcile()
    assert.equal((await payments.payment(waiting.id)).declineReason, 'canceled')
    const [{ status }] = await payments.sql('SELECT status FROM sandbox.charges WHERE id = $1', [waiting.id])
    assert.equal(status, 'declined')
  })
})

describe('refunds', () => {
  test('the same refund twice at once is one', async () => {
    const { id } = await payments.pay(payments.order())
    const key = randomUUID()
    await Promise.all(Array.from({ length: 6 }, () => payments.refund(id, 10_000, key)))
    await payments.until(id, 'REFUNDED')
    assert.deepEqual((await payments.booked(id)).refunds, [10_000])
  })

  test('the same part of a payment refunded twice at once goes back once', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await payments.pay(payments.order())
      const key = randomUUID()
      await Promise.all(Array.from({ length: 3 }, () => payments.refund(id, 3_000, key)))
      await payments.until(id, 'PARTIALLY_REFUNDED')
      const [{ refunded }] = await payments.sql('SELECT refunded FROM sandbox.charges WHERE id = $1', [id])
      assert.equal(refunded, (await payments.payment(id)).refunded.amount)
      assert.equal(refunded, 3_000)
    }
  })

  test('more than was captured, in parallel parts: as many as fit', async () => {
    const orderId = payments.order()
    const { id } = await payments.pay(orderId)
    const parts = await Promise.allSettled(Array.from({ length: 8 }, () => payments.refund(id, 3_000)))
    const refused = parts.filter((result) => result.status === 'rejected')
    assert.equal(refused.length, 5)
    assert.deepEqual(new Set(refused.map(codeOf)), new Set(['BAD_USER_INPUT']))
    assert.deepEqual((await payments.booked(id)).refunds, [3_000, 3_000, 3_000])
    assert.equal((await payments.payment(id)).refunded.amount, 9_000)
  })

  test('a refund whose answer is lost is asked for again, and goes back once', async () => {
    const lost = await openPayments({
      provider: (sandbox) => {
        let asked = 0
        return {
          ...sandbox,
          async refund(payment, refund) {
            const fact = await sandbox.refund(payment, refund)
            if (asked++ === 0) throw new Error('The answer is lost.')
            return fact
          },
        }
      },
      webhookUrl: 'http://127.0.0.1:1/webhooks/payments',
    })
    const orderId = lost.order()
    const { id } = await lost.pay(orderId, 'pm_card_visa')
    await lost.reconcile()
    assert.equal((await lost.refund(id)).status, 'CAPTURED')
    await lost.reconcile()
    assert.equal((await lost.payment(id)).status, 'REFUNDED')
    assert.deepEqual((await lost.booked(id)).refunds, [10_000])
    assert.deepEqual(await lost.told(orderId), [...captured, 'payment.refunded'])
    await lost.close()
  })
})
