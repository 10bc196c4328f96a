import { parseId } from '#platform/input.ts'
import type { Payment } from './domain/payment.ts'
import { returnAll } from './domain/refund.ts'
import type { CallbackHeaders } from './providers/provider.ts'
import type { PaymentsDependencies } from './service/dependencies.ts'
import { createFacts, orderEnded } from './service/facts.ts'
import { createOutcomes } from './service/outcomes.ts'
import { createPayOrder } from './service/pay-order.ts'
import { createReconcile } from './service/reconcile.ts'
import { createRefundPayment, createSendRefund } from './service/refund-payment.ts'

export function createPaymentsService(dependencies: PaymentsDependencies) {
  const { store, provider, now, newId, onDue } = dependencies
  const outcomes = createOutcomes()
  const facts = createFacts(dependencies, outcomes)
  const sendRefund = createSendRefund(dependencies, facts)

  return {
    payOrder: createPayOrder(dependencies, facts, outcomes),
    refundPayment: createRefundPayment(dependencies, sendRefund),
    reconcile: createReconcile(dependencies, facts, sendRefund),

    /** For peers, which decide themselves who may see it. */
    async paymentById(id: string): Promise<Payment | undefined> {
      return (await store.findPayments([id]))[0]
    },
    paymentsOfOrder: (orderId: string): Promise<Payment[]> => store.findByOrders([orderId]),

    /**
     * What the provider tells of its own accord: the bytes as they came, and their headers. Returns once it has had its
     * effect for good. Throws UNAUTHENTICATED for what is not the provider's.
     *
     * Guarantee: a callback that comes again, also at the same time, has its effect once.
     */
    async receiveCallback(body: Buffer, headers: CallbackHeaders): Promise<void> {
      const { id, fact } = provider.readCallback(body, headers)
      // Who shares the provider's account with us may name things in a way of their own.
      if (!fact || !parseId(fact.paymentId)) return
      if (fact.about === 'payment') await facts.learnOfPayment(fact, id)
      if (fact.about === 'refund') await facts.learnOfRefund(fact, id)
    },

    /**
     * An order ended: what was captured for it goes back, what is pending is given up, and whatever is captured later goes
     * back at once.
     */
    async orderCancelled(eventId: string, orderId: string): Promise<void> {
      await store.closeOrder(eventId, orderId, now(), ({ payment, refunds }) => {
        if (payment.status !== 'CAPTURED' && payment.status !== 'PARTIALLY_REFUNDED') return undefined
        const refund = returnAll(payment, refunds, { id: newId(), reason: orderEnded }, now())
        return refund && { payment, refunds: [refund], events: [] }
      })
      onDue()
    },
  }
}

export type PaymentsService = ReturnType<typeof createPaymentsService>
