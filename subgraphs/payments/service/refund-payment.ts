import { notFound, ServiceError } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import type { Payment } from '../domain/payment.ts'
import { openRefund, type Refund, requireRefunder } from '../domain/refund.ts'
import { parseRefundRequest } from '../domain/request.ts'
import type { Change, Locked } from '../store.ts'
import type { PaymentsDependencies } from './dependencies.ts'
import type { Facts } from './facts.ts'

/** Asks the provider to give money back, and writes what it says. */
export function createSendRefund({ provider, onUnanswered }: PaymentsDependencies, facts: Facts) {
  /** The payment as it is then. Undefined when the provider did not tell: it is asked again later, under the same id. */
  return async function sendRefund(payment: Payment, refund: Refund): Promise<Payment | undefined> {
    try {
      if (payment.reference === null) throw new Error('The provider has not named what it captured.')
      const fact = await provider.refund({ ...payment, reference: payment.reference }, refund)
      return await facts.learnOfRefund(fact)
    } catch (error) {
      onUnanswered({ payment: payment.id, refund: refund.id }, error)
      return undefined
    }
  }
}

export type SendRefund = ReturnType<typeof createSendRefund>

/**
 * Gives a payment back, all of it or a part, once for each manager and idempotency key. The refund is written with the
 * payment locked and before the provider is asked.
 *
 * Guarantee: whatever is asked for at the same time, never more goes back than was captured.
 */
export function createRefundPayment({ store, now, newId, patience }: PaymentsDependencies, sendRefund: SendRefund) {
  /**
   * Throws UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, IDEMPOTENCY_KEY_REUSED; ILLEGAL_TRANSITION for a payment
   * of which nothing can go back.
   */
  return async function refundPayment(
    viewer: Principal,
    input: { paymentId: string; amount?: number | null; reason: string; idempotencyKey: string },
  ): Promise<Payment> {
    const requestedBy = requireRefunder(viewer)
    const { paymentId, ...request } = parseRefundRequest(input)
    const { idempotencyKey, inputHash } = request
    const isSame = (refund: Refund) => refund.requestedBy === requestedBy && refund.idempotencyKey === idempotencyKey
    async function requireSameInput(): Promise<void> {
      const known = await store.findRefundByKey(requestedBy, idempotencyKey)
      if (known && known.inputHash !== inputHash) throw keyReused()
    }
    await requireSameInput()

    function open({ payment, refunds }: Locked): Change | undefined {
      const at = now()
      const before = refunds.find(isSame)
      if (before && before.inputHash !== inputHash) throw keyReused()
      if (before) return undefined
      const refund = openRefund(payment, refunds, { ...request, id: newId(), requestedBy }, at)
      return { payment, refunds: [refund], refundsDue: new Date(at.getTime() + patience), events: [] }
    }
    const changed = await store.change(paymentId, open).catch(async (error: unknown) => {
      // The key was taken at the same time, for another payment.
      await requireSameInput()
      throw error
    })
    if (!changed) throw notFound('payment')
    const { payment, written } = changed
    // A twin's refund is the twin's to send.
    const [refund] = written?.refunds ?? []
    return (refund && (await sendRefund(payment, refund))) ?? payment
  }
}

function keyReused(): ServiceError {
  return new ServiceError('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another refund.', {
    field: 'idempotencyKey',
  })
}
