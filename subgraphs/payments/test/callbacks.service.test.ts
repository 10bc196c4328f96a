import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import Stripe from 'stripe'
import { request } from 'undici'
import { waitFor } from '../../../test/infra/wait.ts'
import type { Payment } from '../domain/payment.ts'
import { createStripeProvider } from '../providers/stripe.ts'
import { sign, signatureHeader } from '../sandbox/signature.ts'
import { chargeCallback, openPayments, type Payments, secret } from './open-payments.ts'
import { intentOf, stripeEvent } from './stripe-events.ts'

/** `POST /webhooks/payments`: who is believed, and when it is answered. */

let payments: Payments
let waiting: Payment
before(async () => {
  payments = await openPayments()
  waiting = await payments.pay(payments.order(), 'pm_card_authenticationRequired')
})
after(() => payments.close())

const isPending = async () => assert.equal((await payments.payment(waiting.id)).status, 'PENDING')

test('a callback that is not signed, is signed with another secret or was altered is answered with 401', async () => {
  const body = chargeCallback(waiting, 'captured')
  const seconds = Math.floor(Date.now() / 1000)
  const headers = ['', 'nonsense', `t=${seconds}`, `t=${seconds},v1=`, `t=${seconds},v1=${'0'.repeat(64)}`, 't=,v1=']
  for (const header of headers) assert.equal(await payments.callback(body, { header }), 401, header)
  assert.equal(await payments.callback(body, { secret: 'another secret of 16' }), 401)
  const altered = body.replace('10000', '10001')
  const header = sign(secret, body, seconds)
  assert.equal(await payments.callback(altered, { header }), 401)
  await isPending()
})

test('a callback of more than five minutes ago, or from the future, is answered with 401', async () => {
  const body = chargeCallback(waiting, 'captured')
  // Before they are looked at seconds pass, which bring the future nearer.
  for (const age of [301, -360]) assert.equal(await payments.callback(body, { age }), 401)
  await isPending()
})

test('a callback that is larger than 1 MiB is refused unread', async () => {
  assert.equal(await payments.callback('x'.repeat(1024 * 1024 + 1)), 413)
})

test('the bytes count, not what they mean: another content type is taken as it is', async () => {
  const body = chargeCallback({ ...waiting, id: '00000000-0000-4000-8000-000000000000' }, 'captured')
  for (const type of ['text/plain', 'application/json; charset=utf-8']) {
    const headers = {
      'content-type': type,
      [signatureHeader]: sign(secret, body, Math.floor(Date.now() / 1000)),
    }
    const answer = await request(`${payments.origin}/webhooks/payments`, { method: 'POST', headers, body })
    await answer.body.dump()
    // A payment that is not ours: nothing to do.
    assert.equal(answer.statusCode, 204)
  }
})

test("a callback about what carries another shop's ids is taken, and has no effect", async () => {
  const stripe = createStripeProvider({
    secretKey: 'sk_test_shop',
    webhookSecret: secret,
    returnUrl: 'https://shop.example/paid',
    now: () => new Date(),
  })
  const theirs = await openPayments({ provider: () => stripe })
  after(() => theirs.close())
  const intent = { ...intentOf(waiting, { status: 'succeeded', amount_received: 1 }), metadata: { paymentId: '4711' } }
  const payload = stripeEvent('payment_intent.succeeded', intent)
  const signature = new Stripe('sk_test_shop').webhooks.generateTestHeaderString({ payload, secret })
  await theirs.service.receiveCallback(Buffer.from(payload), { 'stripe-signature': signature })
})

test('a capture of another amount than was asked for has no effect, and is answered with 500', async () => {
  const other = { ...waiting, amount: { amount: 1, currency: 'EUR' } }
  assert.equal(await payments.callback(chargeCallback(other, 'captured')), 500)
  await isPending()
})

test('a callback is answered with 204 only after its effect is committed', async () => {
  const other = new pg.Client({ connectionString: payments.url })
  await other.connect()
  await other.query('BEGIN')
  await other.query('SELECT FROM payments WHERE id = $1 FOR UPDATE', [waiting.id])
  let answered = false
  const answer = payments.callback(chargeCallback(waiting, 'captured')).finally(() => {
    answered = true
  })
  await waitFor('the callback waits', async () => (await payments.waiting()) > 0)
  assert.equal(answered, false)
  await other.query('COMMIT')
  await other.end()
  assert.equal(await answer, 204)
  assert.equal((await payments.payment(waiting.id)).status, 'CAPTURED')
})

test('callbacks are remembered for 45 days', async () => {
  await payments.sql(`
    INSERT INTO callbacks SELECT 'aged_' || age || '_' || n, now() - age * interval '24 hours'
    FROM generate_series(44, 46) AS age, generate_series(1, 6000) AS n`)
  while (await payments.store.forgetCallbacks(new Date()));
  const ages = `SELECT DISTINCT (extract(epoch FROM now() - received_at) / 86400)::int AS age FROM callbacks WHERE id LIKE 'aged_%'`
  assert.deepEqual(await payments.sql(ages), [{ age: 44 }])
})
