import { badInput, ServiceError, signInFirst } from '#platform/errors.ts'
import { type Payment, type PaymentStatus, transition } from './payment.ts'

export type RefundStatus = 'PENDING' | 'SUCCEEDED' | 'FAILED'

/** Money that goes back, all of a payment or a part. */
export type Refund = {
  readonly id: string
  readonly paymentId: string
  /** The account that asked for it, or `shop`. */
  readonly requestedBy: string
  /** Chosen by whoever asked: one key is one refund. */
  readonly idempotencyKey: string
  /** Of what was asked for. */
  readonly inputHash: string
  readonly status: RefundStatus
  /** Minor units of the payment's currency. */
  readonly amount: number
  readonly reason: string
  /** The provider's own name of the refund. Null until it answered. */
  readonly reference: string | null
  /** Why the provider refused it. */
  readonly failure: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a provider says of a refund. */
export type RefundFact = {
  readonly refundId: string
  readonly paymentId: string
  readonly reference: string
  readonly state: 'pending' | 'succeeded' | 'failed'
  /** Why it failed. */
  readonly reason?: string
}

/** Whoever asks for refunds when nobody did: what is captured for an order that ended. */
export const shop = 'shop'

/** Throws UNAUTHENTICATED for nobody and FORBIDDEN for a caller without the scope. Returns the account's id. */
export function requireRefunder(viewer: { sub: string | null; scopes: readonly string[] }): string {
  if (viewer.sub === null) throw signInFirst()
  if (!viewer.scopes.includes('payments:refund')) {
    throw new ServiceError('FORBIDDEN', 'This needs the scope payments:refund.')
  }
  return viewer.sub
}

const refundableStatuses: readonly PaymentStatus[] = ['CAPTURED', 'PARTIALLY_REFUNDED']

/** What of a payment is neither back nor on its way. */
export function refundable(payment: Payment, refunds: readonly Refund[]): number {
  const gone = refunds.filter(({ status }) => status !== 'FAILED')
  return payment.amount.amount - gone.reduce((sum, { amount }) => sum + amount, 0)
}

export type RefundRequest = Pick<Refund, 'id' | 'requestedBy' | 'idempotencyKey' | 'inputHash' | 'reason'> & {
  /** Null for all that is left. */
  readonly amount: number | null
}

/**
 * A new refund of a payment that has these. Throws ILLEGAL_TRANSITION where nothing was captured or nothing is left,
 * BAD_USER_INPUT for more than is left.
 */
export function openRefund(
  payment: Payment,
  refunds: readonly Refund[],
  { amount: wanted, ...request }: RefundRequest,
  at: Date,
): Refund {
  const left = refundable(payment, refunds)
  if (!refundableStatuses.includes(payment.status)) {
    throw new ServiceError('ILLEGAL_TRANSITION', `A payment that is ${payment.status} cannot be refunded.`)
  }
  if (payment.amount.amount === 0) {
    throw new ServiceError('ILLEGAL_TRANSITION', 'Nothing was to be paid, so nothing can go back.')
  }
  if (left === 0) throw new ServiceError('ILLEGAL_TRANSITION', 'All of this payment is on its way back.')
  const amount = wanted ?? left
  if (amount < 1 || amount > left) throw badInput('amount', `A refund is 1 to ${left}, which is what is left.`)
  return newRefund(payment, { ...request, amount }, at)
}

/**
 * What the shop gives back of its own accord: all that is left. Undefined when that is nothing, and where the provider has
 * refused the shop before.
 */
export function returnAll(
  payment: Payment,
  refunds: readonly Refund[],
  { id, reason }: { id: string; reason: string },
  at: Date,
): Refund | undefined {
  const before = refunds.filter(({ requestedBy }) => requestedBy === shop)
  // A second one comes of a refund that failed and was somebody else's.
  const idempotencyKey = `refund:${payment.id}${before.length === 0 ? '' : `:${before.length}`}`
  const left = refundable(payment, refunds)
  if (left === 0 || before.some(({ status }) => status === 'FAILED')) return undefined
  return newRefund(payment, { id, requestedBy: shop, idempotencyKey, inputHash: '', reason, amount: left }, at)
}

function newRefund(payment: Payment, request: RefundRequest & { amount: number }, at: Date): Refund {
  return {
    ...request,
    paymentId: payment.id,
    status: 'PENDING',
    reference: null,
    failure: null,
    createdAt: at,
    updatedAt: at,
  }
}

/** Whether money that was said to have gone back did not. A person has to see to it. */
export function isTakenBack(refund: Refund, fact: RefundFact): boolean {
  return refund.status === 'SUCCEEDED' && fact.state === 'failed'
}

/**
 * A payment and its refund as a fact leaves them. Undefined when the fact is nothing new: once a refund has succeeded or
 * failed, no fact about it changes that. What goes back for a payment that counts as declined leaves it declined.
 */
export function learnOfRefund(
  payment: Payment,
  refund: Refund,
  { reference, state, reason }: RefundFact,
  at: Date,
): { payment: Payment; refund: Refund } | undefined {
  if (refund.status !== 'PENDING') return undefined
  const known = { ...refund, reference, updatedAt: at }
  if (state === 'pending') return refund.reference === reference ? undefined : { payment, refund: known }
  if (state === 'failed') return { payment, refund: { ...known, status: 'FAILED', failure: reason ?? 'unknown' } }
  return { payment: withRefund(payment, refund, at), refund: { ...known, status: 'SUCCEEDED' } }
}

function withRefund(payment: Payment, { amount }: Refund, at: Date): Payment {
  if (payment.status === 'DECLINED') return payment
  const refunded = { ...payment.refunded, amount: payment.refunded.amount + amount }
  const to = refunded.amount === payment.amount.amount ? 'REFUNDED' : 'PARTIALLY_REFUNDED'
  return { ...transition(payment, to, at), refunded }
}
