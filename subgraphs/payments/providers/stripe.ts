import Stripe from 'stripe'
import { timeLeft } from '#platform/context.ts'
import { ServiceError } from '#platform/errors.ts'
import { unavailable } from '#platform/mask.ts'
import type { PaymentFact } from '../domain/payment.ts'
import type { RefundFact } from '../domain/refund.ts'
import type { Provider, ProviderCallback } from './provider.ts'

export type StripeProviderOptions = {
  secretKey: string
  /** What Stripe signs webhooks with. */
  webhookSecret: string
  /** Where payers come back to from 3-D Secure. */
  returnUrl: string
  /** Where Stripe's API is. Default: Stripe's own. */
  apiUrl?: string
  now: () => Date
}

/** Milliseconds that a call may take with its one repeat, unless the caller's own deadline is nearer. */
const callLimit = 10_000
/** Kept for the answer to arrive. */
const answerTime = 500
/** Seconds that a webhook may be old. */
const tolerance = 300
/** Currencies that Stripe counts in another unit than ISO 4217's minor one. https://docs.stripe.com/currencies */
const otherUnits = new Set(['ISK', 'MGA', 'UGX'])
/** Milliseconds for which Stripe knows an idempotency key for sure. */
const repeatable = 23 * 3_600_000

/**
 * Stripe, by its own SDK: PaymentIntents that are confirmed as they are made, refunds, signed webhooks. Our ids travel as
 * idempotency keys and as metadata, by which a webhook finds its payment even before Stripe's own id is known here.
 */
export function createStripeProvider(options: StripeProviderOptions): Provider {
  const { secretKey, webhookSecret, returnUrl, apiUrl = 'https://api.stripe.com', now } = options
  const { hostname: host, port, protocol } = new URL(apiUrl)
  const stripe = new Stripe(secretKey, {
    host,
    ...(port && { port }),
    protocol: protocol === 'http:' ? 'http' : 'https',
    maxNetworkRetries: 1,
    telemetry: false,
  })
  const limits = () => ({ timeout: Math.max(1, Math.floor((timeLeft(callLimit) - answerTime) / 2)) })

  return {
    async pay({ id, orderId, amount, method }) {
      // A hundred times too much, or too little.
      if (otherUnits.has(amount.currency)) {
        return { paymentId: id, reference: '', state: 'declined', reason: 'currency_not_supported' }
      }
      try {
        const intent = await stripe.paymentIntents.create(
          {
            amount: amount.amount,
            currency: amount.currency.toLowerCase(),
            confirm: true,
            ...(method && { payment_method: method }),
            return_url: returnUrl,
            metadata: { paymentId: id, orderId },
          },
          { idempotencyKey: id, ...limits() },
        )
        return toPaymentFact(id, intent)
      } catch (error) {
        if (!isRefusal(error)) throw unknown(error)
        const reference = error.payment_intent?.id ?? ''
        return { paymentId: id, reference, state: 'declined', reason: error.decline_code ?? error.code ?? 'refused' }
      }
    },

    async find({ id }) {
      // Takes about a minute to know of a new one. https://docs.stripe.com/search#data-freshness
      const query = `metadata["paymentId"]:"${id}"`
      const { data } = await stripe.paymentIntents.search({ query, limit: 1 }, limits()).catch(rethrow)
      return data[0]?.id
    },

    async lookUp({ id, reference }) {
      return toPaymentFact(id, await stripe.paymentIntents.retrieve(reference, {}, limits()).catch(rethrow))
    },

    async cancel({ id, reference }) {
      try {
        return toPaymentFact(id, await stripe.paymentIntents.cancel(reference, {}, limits()))
      } catch (error) {
        if (!isRefusal(error)) throw unknown(error)
        // It has come to its end by itself.
        return toPaymentFact(id, await stripe.paymentIntents.retrieve(reference, {}, limits()).catch(rethrow))
      }
    },

    async refund({ id: paymentId, reference: intent }, { id, amount, reference, createdAt }) {
      if (reference)
        return toRefundFact(id, paymentId, await stripe.refunds.retrieve(reference, {}, limits()).catch(rethrow))
      if (now().getTime() - createdAt.getTime() > repeatable) {
        // The key may be forgotten: the same once more could be another refund.
        const { data } = await stripe.refunds.list({ payment_intent: intent, limit: 100 }, limits()).catch(rethrow)
        const made = data.find(({ metadata }) => metadata?.refundId === id)
        if (made) return toRefundFact(id, paymentId, made)
      }
      try {
        const refund = await stripe.refunds.create(
          { payment_intent: intent, amount, metadata: { refundId: id, paymentId } },
          { idempotencyKey: id, ...limits() },
        )
        return toRefundFact(id, paymentId, refund)
      } catch (error) {
        if (!isRefusal(error)) throw unknown(error)
        return { refundId: id, paymentId, reference: '', state: 'failed', reason: error.code ?? 'refused' }
      }
    },

    readCallback(body, { 'stripe-signature': signature = '' }) {
      try {
        const event = stripe.webhooks.constructEvent(
          body,
          signature,
          webhookSecret,
          tolerance,
          undefined,
          now().getTime(),
        )
        return { id: event.id, fact: factOf(event) }
      } catch (error) {
        if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) throw error
        throw new ServiceError('UNAUTHENTICATED', 'The signature of the callback is not valid.')
      }
    },
    close: async () => {},
  }
}

type Refusal = InstanceType<typeof Stripe.errors.StripeCardError | typeof Stripe.errors.StripeInvalidRequestError>

/** Stripe understood, and said no. */
function isRefusal(error: unknown): error is Refusal {
  return (
    error instanceof Stripe.errors.StripeCardError ||
    (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode !== 409)
  )
}

/** A failure that tells nothing of what was done. */
function unknown(cause: unknown): ServiceError {
  return unavailable('payment provider', cause)
}

function rethrow(error: unknown): never {
  throw unknown(error)
}

function toPaymentFact(paymentId: string, intent: Stripe.PaymentIntent): PaymentFact {
  const { id: reference, status } = intent
  switch (status) {
    case 'succeeded': {
      const amount = { amount: intent.amount_received, currency: intent.currency.toUpperCase() }
      return { paymentId, reference, state: 'captured', amount }
    }
    case 'requires_payment_method':
    case 'canceled': {
      const { decline_code, code } = intent.last_payment_error ?? {}
      return { paymentId, reference, state: 'declined', reason: decline_code ?? code ?? status }
    }
    default: {
      const url = intent.next_action?.redirect_to_url?.url
      return { paymentId, reference, state: 'pending', nextAction: url ? { type: 'REDIRECT', url } : null }
    }
  }
}

function toRefundFact(refundId: string, paymentId: string, refund: Stripe.Refund): RefundFact {
  const { id: reference, status, failure_reason: reason } = refund
  if (status === 'succeeded') return { refundId, paymentId, reference, state: 'succeeded' }
  if (status === 'failed' || status === 'canceled') {
    return { refundId, paymentId, reference, state: 'failed', reason: reason ?? status }
  }
  return { refundId, paymentId, reference, state: 'pending' }
}

/** What an event tells of our payments and refunds. */
function factOf({ type, data }: Stripe.Event): ProviderCallback['fact'] {
  switch (type) {
    case 'payment_intent.succeeded':
    case 'payment_intent.payment_failed':
    case 'payment_intent.canceled':
    case 'payment_intent.processing':
    case 'payment_intent.requires_action': {
      const { paymentId } = data.object.metadata
      return paymentId ? { about: 'payment', ...toPaymentFact(paymentId, data.object) } : undefined
    }
    case 'refund.created':
    case 'refund.updated':
    case 'refund.failed':
    case 'charge.refund.updated': {
      const { refundId, paymentId } = data.object.metadata ?? {}
      return refundId && paymentId ? { about: 'refund', ...toRefundFact(refundId, paymentId, data.object) } : undefined
    }
    default:
      return undefined
  }
}
