import { mayBeAskedAgain, type Payment, type PaymentFact } from '../domain/payment.ts'
import type { PaymentsDependencies } from './dependencies.ts'
import type { Facts } from './facts.ts'
import type { SendRefund } from './refund-payment.ts'

/** What one turn asks the provider about, of each kind. */
const limit = 20
/** Milliseconds between two times that the provider is asked about the same thing, at the most. */
const longestPause = 3_600_000

/**
 * Asks the provider about what has been pending for too long, with pauses that double.
 *
 * Guarantee: a callback that is lost is no payment lost, nor is an answer that never came.
 */
export function createReconcile(dependencies: PaymentsDependencies, facts: Facts, sendRefund: SendRefund) {
  const { store, provider, now, patience, onUnanswered } = dependencies

  /** One turn. True when there is more to do at once. */
  return async function reconcile(): Promise<boolean> {
    const due = { limit, at: now(), pause: patience, longestPause }
    const [payments, refunds] = await Promise.all([store.takeDuePayments(due), store.takeDueRefunds(due)])
    await Promise.all([
      ...payments.map(({ payment, closed }) => settle(payment, closed)),
      ...refunds.map(({ payment, refund }) => sendRefund(payment, refund)),
    ])
    return payments.length === limit || refunds.length === limit
  }

  async function settle(payment: Payment, closed: boolean): Promise<void> {
    try {
      const fact = await outcomeOf(payment, closed)
      if (fact) await facts.learnOfPayment(fact)
    } catch (error) {
      onUnanswered({ payment: payment.id }, error)
    }
  }

  /** Undefined where the provider may be being asked for the payment just now. */
  async function outcomeOf(payment: Payment, closed: boolean): Promise<PaymentFact | undefined> {
    const { id: paymentId, createdAt } = payment
    const at = now()
    // It may never have heard of the payment, or its answer was lost. The same once more is the same charge.
    if (payment.reference === null && !closed && mayBeAskedAgain(payment, at)) return provider.pay(payment)
    // Nobody wants it any more, or it could be another charge: it is only looked for.
    const reference = payment.reference ?? (await provider.find(payment))
    if (reference !== undefined) return (closed ? provider.cancel : provider.lookUp)({ ...payment, reference })
    if (at.getTime() - createdAt.getTime() < patience) return undefined
    // Should there be one after all, its callback comes after a decline, and it goes back.
    return { paymentId, reference: '', state: 'declined', reason: closed ? 'canceled' : 'expired' }
  }
}
