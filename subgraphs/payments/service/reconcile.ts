import { mayBeAskedAgain, type Payment } from '../domain/payment.ts'
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
      await facts.learnOfPayment(await outcomeOf(payment, closed))
    } catch (error) {
      onUnanswered({ payment: payment.id }, error)
    }
  }

  async function outcomeOf(payment: Payment, closed: boolean) {
    const { id: paymentId, reference } = payment
    if (reference !== null) return (closed ? provider.cancel : provider.lookUp)({ ...payment, reference })
    // It may never have heard of the payment, or its answer was lost. The same once more is the same charge.
    if (mayBeAskedAgain(payment, now())) return provider.pay(payment)
    // Could be another charge. Should there be one after all, its callback comes after a decline, and it goes back.
    return { paymentId, reference: '', state: 'declined' as const, reason: 'expired' }
  }
}
