import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { openPayment } from '../domain/payment.ts'
import { createStripeProvider } from '../providers/stripe.ts'

const stripe = createStripeProvider({
  secretKey: 'sk_test_shop',
  webhookSecret: 'whsec_of_the_shop',
  returnUrl: 'https://shop.example/paid',
  apiUrl: 'http://127.0.0.1:1',
  now: () => new Date(),
})

test('Stripe is never asked for an amount that it counts in another unit', async () => {
  const ids = { id: randomUUID(), orderId: randomUUID(), customerId: randomUUID() }
  const pay = (currency: string) =>
    stripe.pay(
      openPayment({ ...ids, orderNumber: null, amount: { amount: 500, currency }, method: 'pm_card_visa' }, new Date()),
    )
  for (const currency of ['ISK', 'MGA', 'UGX']) {
    const fact = await pay(currency)
    assert.ok(fact.state === 'declined' && fact.reason === 'currency_not_supported', currency)
  }
  for (const currency of ['EUR', 'JPY']) await assert.rejects(pay(currency), { code: 'SUBGRAPH_UNAVAILABLE' })
})
