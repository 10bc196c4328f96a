import type { Resolvers } from '#generated/graphql/payments.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { maySeePaymentsOf } from './domain/payment.ts'
import type { PaymentsService } from './service.ts'

export function createResolvers(service: PaymentsService): Resolvers {
  return {
    Mutation: {
      async payOrder(_root, { input }, { principal }) {
        return { payment: await service.payOrder(principal, input) }
      },
      async refundPayment(_root, { input }, { principal }) {
        return { payment: await service.refundPayment(principal, input) }
      },
    },
    Payment: {
      async __resolveReference(reference, { principal, payments }) {
        const id = parseId(reference.id)
        const payment = id && (await payments.load(id))
        if (!payment || !maySeePaymentsOf(principal, payment.customerId)) throw notFound('payment')
        return payment
      },
      order: ({ orderId }) => ({ id: orderId }),
    },
    Order: {
      __resolveReference: ({ id }) => ({ id }),
      async payments(order, _args, { paymentsOfOrder }) {
        const id = parseId(order.id)
        return id ? [...(await paymentsOfOrder.load(id))] : []
      },
    },
  }
}
