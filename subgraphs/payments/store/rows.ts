import type { Payment as PaymentRow, Refund as RefundRow } from '#generated/prisma/payments/client.ts'
import type { NewEvent } from '#platform/outbox.ts'
import type { Payment } from '../domain/payment.ts'
import type { Refund } from '../domain/refund.ts'

/** Payments and refunds as the domain sees them, and as the tables hold them. */

/** A payment with all that decides about it, as it is when it is written. */
export type Locked = {
  readonly payment: Payment
  readonly refunds: readonly Refund[]
  /** Whether its order ended. */
  readonly closed: boolean
}

/** What a change makes of a payment. */
export type Change = {
  payment: Payment
  /** The refunds that are new or other than before. */
  refunds?: readonly Refund[]
  /** When the provider is asked for the new ones, unless it has been before. Default: now. */
  refundsDue?: Date
  events: readonly NewEvent[]
}

/** A payment as it is after it was decided about, and what was written of it: nothing where that was the decision, or came before. */
export type Changed = { readonly payment: Payment; readonly written?: Change }

/** What of a payment changes in its life. */
export function toPaymentColumns({ status, refunded, method, declineReason, nextAction, ...rest }: Payment) {
  const { reference, updatedAt } = rest
  const nextActionUrl = nextAction?.url ?? null
  return { status, refundedAmount: refunded.amount, method, declineReason, nextActionUrl, reference, updatedAt }
}

export function toPayment(row: PaymentRow): Payment {
  const { id, orderId, orderNumber, customerId, status, currency, method } = row
  const { declineReason, reference, createdAt, updatedAt } = row
  return {
    id,
    orderId,
    orderNumber,
    customerId,
    status,
    amount: { amount: row.amount, currency },
    refunded: { amount: row.refundedAmount, currency },
    method,
    declineReason,
    nextAction: row.nextActionUrl === null ? null : { type: 'REDIRECT', url: row.nextActionUrl },
    reference,
    createdAt,
    updatedAt,
  }
}

export function toRefund({ attempts: _attempts, nextAttemptAt: _next, ...refund }: RefundRow): Refund {
  return refund
}
