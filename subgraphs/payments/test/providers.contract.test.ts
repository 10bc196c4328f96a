import { randomUUID } from 'node:crypto'
import Stripe from 'stripe'
import { providerContract } from '../../../test/contract/payment-provider.ts'
import { stripeUrl } from '../../../test/infra/parts.ts'
import type { Payment } from '../domain/payment.ts'
import { createSandboxProvider } from '../providers/sandbox.ts'
import { createStripeProvider } from '../providers/stripe.ts'
import { sign, signatureHeader } from '../sandbox/signature.ts'
import { openPayments, secret } from './open-payments.ts'
import { intentOf, stripeEvent, stripeRefundOf } from './stripe-events.ts'

const nowhere = 'http://127.0.0.1:1'
const now = () => new Date()

providerContract({
  name: 'the sandbox',
  remembers: true,
  async open() {
    const payments = await openPayments()
    const away = createSandboxProvider({ url: nowhere, secret, now })
    const told = (content: object) => JSON.stringify({ id: `evt_${randomUUID()}`, ...content })
    const charge = ({ id, amount }: Payment, given: object) =>
      told({ about: 'charge', charge: { id, reference: `ch_${id}`, ...amount, reason: null, ...given } })
    return {
      provider: payments.sandbox,
      away,
      callbacks: {
        captured: (payment) => charge(payment, { status: 'captured' }),
        declined: (payment, reason) => charge(payment, { status: 'declined', reason }),
        refunded: (payment, { id, amount }) =>
          told({
            about: 'refund',
            refund: { id, charge_id: payment.id, reference: `re_${id}`, amount, status: 'succeeded' },
          }),
        foreign: () => told({ about: 'payout' }),
      },
      sign: (body, seconds, by = secret) => ({ [signatureHeader]: sign(by, body, seconds) }),
      close: () => Promise.all([payments.close(), away.close()]),
    }
  },
})

const webhookSecret = 'whsec_of_the_shop'
const stripe = new Stripe('sk_test_shop')

providerContract({
  name: "Stripe, by Stripe's mock",
  skip: !stripeUrl() && 'there is no stripe-mock',
  remembers: false,
  async open() {
    const options = { secretKey: 'sk_test_shop', webhookSecret, returnUrl: 'https://shop.example/paid', now }
    const provider = createStripeProvider({ ...options, apiUrl: stripeUrl() ?? '' })
    return {
      provider,
      away: createStripeProvider({ ...options, apiUrl: nowhere }),
      callbacks: {
        captured: (payment) =>
          stripeEvent(
            'payment_intent.succeeded',
            intentOf(payment, { status: 'succeeded', amount_received: payment.amount.amount }),
          ),
        declined: (payment, reason) => {
          const error = { code: 'card_declined', decline_code: reason }
          const given = { status: 'requires_payment_method', last_payment_error: error }
          return stripeEvent('payment_intent.payment_failed', intentOf(payment, given))
        },
        refunded: (payment, refund) =>
          stripeEvent('refund.updated', stripeRefundOf(payment, refund, { status: 'succeeded' })),
        foreign: () => stripeEvent('customer.created', { id: 'cus_1', object: 'customer' }),
      },
      sign: (payload, timestamp, by = webhookSecret) => ({
        'stripe-signature': stripe.webhooks.generateTestHeaderString({ payload, secret: by, timestamp }),
      }),
      close: provider.close,
    }
  },
})
