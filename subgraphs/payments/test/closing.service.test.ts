import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { waitFor } from '../../../test/infra/wait.ts'
import { openPayments, type Payments } from './open-payments.ts'

/** The end of an order while something about its payment is on its way. */

let payments: Payments
/** Whether the provider leaves refunds that somebody asked for pending, until it is told what became of them. */
let refundsWait = false
before(async () => {
  payments = await openPayments({
    provider: (sandbox) => ({
      ...sandbox,
      async refund(payment, refund) {
        if (!refundsWait || refund.requestedBy === 'shop') return sandbox.refund(payment, refund)
        return { refundId: refund.id, paymentId: payment.id, reference: `re_${refund.id}`, state: 'pending' }
      },
    }),
  })
})
after(() => payments.close())

test('a payment that begins while its order is being closed is refused, or its money goes back', async () => {
  const orderId = payments.order()
  const gate = 4_711
  // Holds up the end of the order between its look for payments and its commit.
  await payments.sql(`
    CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM closed_orders WHERE order_id = '${orderId}') THEN PERFORM pg_advisory_xact_lock(${gate}); END IF;
      RETURN NULL;
    END $$`)
  await payments.sql('CREATE TRIGGER gate BEFORE UPDATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate()')
  const keeper = new pg.Client({ connectionString: payments.url })
  await keeper.connect()
  await keeper.query('SELECT pg_advisory_lock($1)', [gate])

  const closing = payments.cancel(orderId)
  await waitFor('the end of the order waits', async () => (await payments.waiting()) === 1)
  const paying = payments.pay(orderId).then(
    ({ status }) => status,
    (error) => error.code,
  )
  await waitFor('the payment is captured, or waits', async () => {
    const captured = await payments.sql(`SELECT FROM payments WHERE order_id = $1 AND status = 'CAPTURED'`, [orderId])
    return captured.length > 0 || (await payments.waiting()) === 2
  })
  await keeper.query('SELECT pg_advisory_unlock($1)', [gate])
  await keeper.end()
  await Promise.all([closing, paying])
  await payments.sql('DROP TRIGGER gate ON payments')
  await payments.reconcile()
  const kept = await payments.sql(
    `SELECT status FROM payments WHERE order_id = $1 AND status NOT IN ('REFUNDED', 'DECLINED')`,
    [orderId],
  )
  assert.deepEqual(kept, [], `payOrder was answered with ${await paying}`)
})

test('an order is closed however many of its payments were declined: none of them is looked at', async () => {
  const orderId = payments.order()
  await payments.pay(orderId, 'pm_card_chargeDeclined')
  const { id } = await payments.pay(orderId)
  await payments.declined(orderId, 2_000)
  const keeper = new pg.Client({ connectionString: payments.url })
  await keeper.connect()
  await keeper.query('BEGIN')
  await keeper.query(`SELECT FROM payments WHERE order_id = $1 AND status = 'DECLINED' FOR UPDATE`, [orderId])
  await payments.cancel(orderId)
  await keeper.end()
  await payments.reconcile()
  assert.equal((await payments.payment(id)).status, 'REFUNDED')
})

test('a refund that fails after its order was cancelled: what it was to give back goes back all the same, once', async () => {
  for (const part of [4_000, 10_000]) {
    const { id, orderId } = await payments.pay(payments.order())
    refundsWait = true
    await payments.refund(id, part)
    refundsWait = false
    await payments.cancel(orderId)
    await payments.service.reconcile()
    const [asked] = await payments.sql(
      'SELECT id, reference FROM refunds WHERE payment_id = $1 AND requested_by <> $2',
      [id, 'shop'],
    )
    const refund = { ...asked, charge_id: id, amount: part, status: 'failed' }
    const body = JSON.stringify({ id: `evt_${asked.id}`, about: 'refund', refund })
    await Promise.all(Array.from({ length: 3 }, () => payments.callback(body)))
    await payments.reconcile()
    const { refunds } = await payments.booked(id)
    assert.equal(
      refunds.reduce((sum, amount) => sum + amount, 0),
      10_000,
    )
    assert.equal((await payments.payment(id)).status, 'REFUNDED')
  }
})

test('a refund of the shop that fails is tried no more: a person has to see to it', async () => {
  const { id, orderId } = await payments.pay(payments.order(), 'pm_card_refundFail')
  await payments.cancel(orderId)
  await payments.reconcile()
  const refunds = () => payments.sql('SELECT status FROM refunds WHERE payment_id = $1', [id])
  await waitFor('the refund failed', async () => (await refunds())[0]?.status === 'FAILED')
  await payments.reconcile()
  assert.deepEqual(await refunds(), [{ status: 'FAILED' }])
  assert.ok(payments.troubles.includes('a refund failed'))
})
