import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../../test/infra/wait.ts'
import type { Payment } from '../domain/payment.ts'
import type { Provider } from '../providers/provider.ts'
import { chargeCallback, openPayments, type Payments } from './open-payments.ts'

/** What becomes of a payment when the provider answers late, leaves open what it did, or does not answer. */

let payments: Payments
/** Comes between the sandbox and the service, for the next call, and in place of the pause before a look. */
let meanwhile: { before?: () => void; pay?: (payment: Payment) => Promise<void> | void; look?: () => void } = {}
before(async () => {
  payments = await openPayments({
    provider: (sandbox): Provider => ({
      ...sandbox,
      async pay(payment) {
        meanwhile.before?.()
        const fact = await sandbox.pay(payment)
        await meanwhile.pay?.(payment)
        return fact
      },
    }),
    pause: async (milliseconds) => meanwhile.look?.() ?? sleep(milliseconds),
  })
})
after(() => payments.close())

const captured = ['payment.captured']
const dies = {
  before() {
    throw new Error('The process died before it asked.')
  },
}
const losesTheAnswer = {
  pay() {
    throw new Error('The answer is lost.')
  },
}

describe('the provider tells the outcome apart from its answer', () => {
  test('a callback before payOrder has its answer', async () => {
    const orderId = payments.order()
    meanwhile = { pay: async ({ id }) => void (await payments.until(id, 'CAPTURED')) }
    const paid = await payments.pay(orderId)
    meanwhile = {}
    assert.equal(paid.status, 'CAPTURED')
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('an outcome that does not follow at once: by what name the provider knows the payment is kept meanwhile', async () => {
    const orderId = payments.order()
    const paying = payments.pay(orderId, 'pm_sandbox_delay_60')
    const named = await waitFor('the name', async () => {
      const [payment] = await payments.store.findByOrders([orderId])
      return payment?.reference ? payment : undefined
    })
    assert.equal(named.status, 'PENDING')
    assert.equal((await paying).id, named.id)
    await payments.sql('UPDATE sandbox.charges SET settles_at = now() WHERE id = $1', [named.id])
    assert.equal((await payments.until(named.id, 'CAPTURED')).reference, named.reference)
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('a look for the outcome that fails: what the provider answered is kept all the same', async () => {
    meanwhile = {
      look() {
        meanwhile = {}
        throw new Error('There is no connection.')
      },
    }
    const { status, reference } = await payments.pay(payments.order(), 'pm_sandbox_delay_60')
    assert.equal(status, 'PENDING')
    assert.notEqual(reference, null)
  })
})

describe('the provider does not answer', () => {
  test('it times out but has charged: the payment is pending and then captured, never declined', async () => {
    const orderId = payments.order()
    const { id, status } = await payments.pay(orderId, 'pm_sandbox_timeout')
    assert.notEqual(status, 'DECLINED')
    await payments.until(id, 'CAPTURED')
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('it has charged, and its answer and its callback are lost: it is asked, and charges nothing twice', async () => {
    const orderId = payments.order()
    const { id, status } = await payments.pay(orderId, 'pm_sandbox_lost')
    assert.equal(status, 'PENDING')
    await assert.rejects(payments.pay(orderId), { code: 'ILLEGAL_TRANSITION' })
    await payments.reconcile()
    assert.equal((await payments.payment(id)).status, 'CAPTURED')
    assert.equal((await payments.booked(id)).captured, 10_000)
    assert.deepEqual(await payments.told(orderId), captured)
  })

  test('a payment that it never heard of is asked for again, under the same id', async () => {
    const orderId = payments.order()
    meanwhile = dies
    const { id, status } = await payments.pay(orderId, 'pm_card_visa')
    meanwhile = {}
    assert.equal(status, 'PENDING')
    await payments.reconcile()
    await payments.until(id, 'CAPTURED')
    assert.equal((await payments.booked(id)).captured, 10_000)
  })

  test('asked for anew after a day, when the provider may have forgotten the first time: nothing is charged then', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    meanwhile = losesTheAnswer
    const { id } = await payments.pay(orderId, 'pm_sandbox_lost', key)
    meanwhile = {}
    // What the provider has forgotten.
    await payments.sql('DELETE FROM sandbox.charges WHERE id = $1', [id])
    await payments.sql(`UPDATE payments SET created_at = created_at - interval '1 day' WHERE id = $1`, [id])
    await payments.pay(orderId, 'pm_sandbox_lost', key)
    assert.equal((await payments.booked(id)).captured, 0)
  })

  test('it was never asked, and the order ended meanwhile: it is not asked then either', async () => {
    const [orderId, key] = [payments.order(), randomUUID()]
    meanwhile = dies
    const { id } = await payments.pay(orderId, 'pm_card_visa', key)
    meanwhile = {}
    await payments.cancel(orderId)
    await payments.service.reconcile()
    assert.equal((await payments.pay(orderId, 'pm_card_visa', key)).status, 'PENDING')
    await payments.reconcile()
    const { status, declineReason } = await payments.payment(id)
    assert.deepEqual([status, declineReason], ['DECLINED', 'canceled'])
    assert.deepEqual(await payments.sql('SELECT FROM sandbox.charges WHERE id = $1', [id]), [])
  })

  test('its answer is lost, and the order ended meanwhile: it is found, and given up or given back', async () => {
    for (const [method, becomes] of [
      ['pm_card_authenticationRequired', 'DECLINED'],
      ['pm_sandbox_lost', 'REFUNDED'],
    ] as const) {
      const orderId = payments.order()
      meanwhile = losesTheAnswer
      const { id, reference } = await payments.pay(orderId, method)
      meanwhile = {}
      assert.equal(reference, null)
      await payments.cancel(orderId)
      await payments.reconcile()
      await payments.reconcile()
      assert.equal((await payments.payment(id)).status, becomes)
      const [{ status, refunded }] = await payments.sql('SELECT * FROM sandbox.charges WHERE id = $1', [id])
      assert.deepEqual([status, refunded], becomes === 'DECLINED' ? ['declined', 0] : ['captured', 10_000])
    }
  })

  test('nobody asks for a day: what it did is found all the same', async () => {
    meanwhile = losesTheAnswer
    const { id } = await payments.pay(payments.order(), 'pm_sandbox_lost')
    meanwhile = {}
    await payments.sql(`UPDATE payments SET created_at = created_at - interval '1 day' WHERE id = $1`, [id])
    await payments.reconcile()
    assert.equal((await payments.payment(id)).status, 'CAPTURED')
  })

  test('it knows of nothing for a day: the payment is given up, and what comes in after all goes back', async () => {
    const orderId = payments.order()
    meanwhile = dies
    const { id } = await payments.pay(orderId, 'pm_card_visa')
    meanwhile = {}
    await payments.sql(`UPDATE payments SET created_at = created_at - interval '1 day' WHERE id = $1`, [id])
    await payments.reconcile()
    const given = await payments.payment(id)
    assert.deepEqual([given.status, given.declineReason], ['DECLINED', 'expired'])
    const { reference } = await payments.sandbox.pay({ ...given, method: 'pm_card_visa' })
    await payments.callback(chargeCallback({ ...given, reference }, 'captured'))
    await payments.reconcile()
    assert.deepEqual(await payments.booked(id), { captured: 10_000, refunds: [10_000] })
  })
})
