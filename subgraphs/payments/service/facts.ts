import { paymentCaptured, paymentDeclined, paymentRefunded } from '#contracts/events.ts'
import { isCapturedInVain, learnOfPayment, type Payment, type PaymentFact } from '../domain/payment.ts'
import { isTakenBack, learnOfRefund, type Refund, type RefundFact, returnAll } from '../domain/refund.ts'
import type { Change, Changed, Locked } from '../store.ts'
import type { PaymentsDependencies } from './dependencies.ts'
import type { Outcomes } from './outcomes.ts'

/** What the shop says when it gives back of its own accord. */
export const orderEnded = 'The order was cancelled.'
const declinedBefore = 'The payment had been declined.'

/**
 * The one way in which anything that a provider says has an effect, wherever it was said: in its answer, in a callback, or
 * when it was asked later.
 *
 * Guarantee: facts may come twice, late, in any order and at the same time. A payment is captured or declined once, and told
 * of once; a refund too. Money that is captured for an order that ended, or after a decline, goes back, once, also where a
 * refund that somebody had asked for before fails.
 */
export function createFacts({ store, now, newId, onDue, onTrouble }: PaymentsDependencies, outcomes: Outcomes) {
  return {
    /** Undefined for a payment that is not ours. `callback`: the provider's name of the callback that told the fact. */
    async learnOfPayment(fact: PaymentFact, callback?: string): Promise<Payment | undefined> {
      const changed = await store.change(fact.paymentId, (before) => settle(before, fact), callback)
      if (changed && changed.payment.status !== 'PENDING') outcomes.tell(changed.payment)
      return followUp(changed)
    },

    /** The same of a refund. */
    async learnOfRefund(fact: RefundFact, callback?: string): Promise<Payment | undefined> {
      const changed = await store.change(
        fact.paymentId,
        ({ payment, refunds, closed }) => {
          const refund = refunds.find(({ id }) => id === fact.refundId)
          if (!refund) return undefined
          const about = { payment: payment.id, refund: refund.id }
          if (isTakenBack(refund, fact)) onTrouble('a refund failed after it had succeeded', about)
          const after = learnOfRefund(payment, refund, fact, now())
          if (!after) return undefined
          const changed = { payment: after.payment, events: refundEvents(payment, after) }
          if (after.refund.status !== 'FAILED') return { ...changed, refunds: [after.refund] }
          onTrouble('a refund failed', about)
          const all = refunds.map((one) => (one === refund ? after.refund : one))
          const rest = closed && returnAll(payment, all, { id: newId(), reason: orderEnded }, now())
          return { ...changed, refunds: rest ? [after.refund, rest] : [after.refund] }
        },
        callback,
      )
      return followUp(changed)
    },
  }

  /** Has the provider asked at once for the refunds that are new. */
  function followUp(changed: Changed | undefined): Payment | undefined {
    if (changed?.written?.refunds?.some(({ reference }) => reference === null)) onDue()
    return changed?.payment
  }

  function settle({ payment: before, refunds, closed }: Locked, fact: PaymentFact): Change | undefined {
    const at = now()
    if (isCapturedInVain(before, fact)) {
      const refund = returnAll(before, refunds, { id: newId(), reason: declinedBefore }, at)
      const payment = { ...before, reference: fact.reference }
      return refund && { payment, refunds: [refund], events: [] }
    }
    const payment = learnOfPayment(before, fact, at)
    if (payment === before) return undefined
    const captured = payment.status === 'CAPTURED'
    const refund = captured && closed && returnAll(payment, refunds, { id: newId(), reason: orderEnded }, at)
    return { payment, ...(refund && { refunds: [refund] }), events: paymentEvents(payment) }
  }
}

export type Facts = ReturnType<typeof createFacts>

/** What is told of a payment that has just become what it is. */
export function paymentEvents(payment: Payment) {
  const { status, amount, declineReason } = payment
  if (status === 'CAPTURED') return [paymentCaptured.of({ ...about(payment), amount })]
  if (status === 'DECLINED') return [paymentDeclined.of({ ...about(payment), reason: declineReason ?? '', amount })]
  return []
}

/** What is told of a refund that has just succeeded. Of money that nobody was told of, nothing is told. */
function refundEvents(before: Payment, { payment, refund }: { payment: Payment; refund: Refund }) {
  if (payment === before || refund.status !== 'SUCCEEDED') return []
  const { refunded, status } = payment
  const { id: refundId, reason } = refund
  const amount = { amount: refund.amount, currency: refunded.currency }
  return [paymentRefunded.of({ ...about(payment), refundId, amount, refunded, full: status === 'REFUNDED', reason })]
}

/** What every event of a payment says. */
function about({ id: paymentId, orderId, orderNumber, customerId }: Payment) {
  return { paymentId, orderId, customerId, ...(orderNumber !== null && { orderNumber }) }
}
