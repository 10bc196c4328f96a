import { ServiceError } from '#platform/errors.ts'

export type PaymentStatus = 'PENDING' | 'CAPTURED' | 'DECLINED' | 'PARTIALLY_REFUNDED' | 'REFUNDED'

/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

/** An order as far as paying it goes. `status`: a word of the orders service. */
export type PayableOrder = {
  readonly id: string
  /** The number that people say and write. */
  readonly number: string
  readonly customerId: string
  readonly status: string
  readonly total: Money
  /** Until when it can be paid. Null where that is not known, or it waits for no payment. */
  readonly payableUntil: Date | null
}

/** What a payer must still do. */
export type NextAction = { readonly type: 'REDIRECT'; readonly url: string }

/** One attempt to pay an order. */
export type Payment = {
  readonly id: string
  readonly orderId: string
  /** Null for a payment from before it was kept. */
  readonly orderNumber: string | null
  readonly customerId: string
  readonly status: PaymentStatus
  readonly amount: Money
  /** The sum of the refunds that succeeded. */
  readonly refunded: Money
  /** The provider's name of the means of payment. Null once the outcome is known. */
  readonly method: string | null
  readonly declineReason: string | null
  readonly nextAction: NextAction | null
  /** The provider's own name of the payment. Null until it answered. */
  readonly reference: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a provider says of a payment: in an answer, in a callback, or when it is asked later. */
export type PaymentFact = { readonly paymentId: string; readonly reference: string } & (
  | { readonly state: 'pending'; readonly nextAction: NextAction | null }
  | { readonly state: 'captured'; readonly amount: Money }
  | { readonly state: 'declined'; readonly reason: string }
)

/** Where each status may go. Everything else is refused. */
const next: Record<PaymentStatus, readonly PaymentStatus[]> = {
  PENDING: ['CAPTURED', 'DECLINED'],
  CAPTURED: ['PARTIALLY_REFUNDED', 'REFUNDED'],
  DECLINED: [],
  PARTIALLY_REFUNDED: ['PARTIALLY_REFUNDED', 'REFUNDED'],
  REFUNDED: [],
}

type Viewer = { sub: string | null; scopes: readonly string[] }

/** Payments are seen by who placed the order and by callers who may read all orders. */
export function maySeePaymentsOf(viewer: Viewer, customerId: string): boolean {
  return viewer.sub === customerId || viewer.scopes.includes('orders:read')
}

/** The one customer whose payments a caller may see; undefined for one who may see all, null for one who may see none. */
export function visibleCustomer(viewer: Viewer): string | undefined | null {
  return viewer.scopes.includes('orders:read') ? undefined : viewer.sub
}

/** A payment that the provider has not been asked for yet. One of 0, which Stripe refuses, never is: it is captured as it is. */
export function openPayment(
  payment: Pick<Payment, 'id' | 'orderId' | 'orderNumber' | 'customerId' | 'amount' | 'method'>,
  at: Date,
): Payment {
  const isFree = payment.amount.amount === 0
  return {
    ...payment,
    status: isFree ? 'CAPTURED' : 'PENDING',
    method: isFree ? null : payment.method,
    refunded: { amount: 0, currency: payment.amount.currency },
    declineReason: null,
    nextAction: null,
    reference: null,
    createdAt: at,
    updatedAt: at,
  }
}

/** Milliseconds for which a provider knows an idempotency key for sure. https://docs.stripe.com/api/idempotent_requests */
const keyLife = 23 * 3_600_000

/** Declined payments after which an order takes no other one: enough for a person, and few for who tries out cards. */
export const mostDeclined = 20

/** Milliseconds for which a decline counts against its customer, who may have so many orders that those of one bound nobody. */
export const declineTime = 3_600_000

/** Whether to ask the provider for a payment once more is the same charge for sure. */
export function mayBeAskedAgain({ createdAt }: Payment, at: Date): boolean {
  return at.getTime() - createdAt.getTime() < keyLife
}

/** Moves a payment on. Throws ILLEGAL_TRANSITION. */
export function transition(payment: Payment, to: PaymentStatus, at: Date): Payment {
  if (!next[payment.status].includes(to)) {
    throw new ServiceError('ILLEGAL_TRANSITION', `A payment that is ${payment.status} cannot become ${to}.`)
  }
  return { ...payment, status: to, updatedAt: at }
}

/**
 * A payment as a fact leaves it; the same object when the fact is nothing new. Facts come twice, late and in any order:
 * once a payment is captured or declined, no fact about it changes that.
 */
export function learnOfPayment(payment: Payment, fact: PaymentFact, at: Date): Payment {
  if (payment.status !== 'PENDING') return payment
  const { reference } = fact
  switch (fact.state) {
    case 'pending':
      if (payment.reference === reference && payment.nextAction?.url === fact.nextAction?.url) return payment
      return { ...payment, reference, nextAction: fact.nextAction, updatedAt: at }
    case 'captured':
      requireAmount(payment, fact.amount)
      return { ...transition(payment, 'CAPTURED', at), reference, nextAction: null, method: null }
    case 'declined':
      return {
        ...transition(payment, 'DECLINED', at),
        reference: reference || null,
        nextAction: null,
        method: null,
        declineReason: fact.reason,
      }
  }
}

/** Whether the provider took money for a payment that counts as declined: it has to go back. */
export function isCapturedInVain(payment: Payment, fact: PaymentFact): boolean {
  return payment.status === 'DECLINED' && fact.state === 'captured'
}

/** We ask for one amount, all of it. Anything else is a fault of the provider, or of how we use it. */
function requireAmount({ id, amount }: Payment, captured: Money): void {
  if (captured.amount === amount.amount && captured.currency === amount.currency) return
  throw new Error(`Payment ${id} was captured with another amount than was asked for.`)
}
