import { randomUUID } from 'node:crypto'
import type { Payment } from '../domain/payment.ts'
import type { Refund } from '../domain/refund.ts'

/** What Stripe sends, as far as it is read. */

export function stripeEvent(type: string, object: object): string {
  return JSON.stringify({ id: `evt_${randomUUID()}`, object: 'event', api_version: null, type, data: { object } })
}

export function intentOf({ id, amount }: Payment, given: object): object {
  return {
    id: `pi_${id}`,
    object: 'payment_intent',
    amount: amount.amount,
    amount_received: 0,
    currency: amount.currency.toLowerCase(),
    metadata: { paymentId: id },
    last_payment_error: null,
    next_action: null,
    ...given,
  }
}

export function stripeRefundOf(payment: Payment, { id, amount }: Refund, given: object): object {
  const metadata = { refundId: id, paymentId: payment.id }
  return { id: `re_${id}`, object: 'refund', amount, currency: 'eur', metadata, failure_reason: null, ...given }
}
