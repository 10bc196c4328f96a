import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import type { Payment as PaymentMessage } from '#generated/grpc/payments/v1/Payment.ts'
import type { PaymentServiceDefinition } from '#generated/grpc/payments/v1/PaymentService.ts'
import { badInput, hasCode, notFound } from '#platform/errors.ts'
import type { Peer } from '#platform/grpc/client.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import type { PayableOrder, Payment } from './domain/payment.ts'
import type { PaymentsService } from './service.ts'

const callers = ['orders', 'notifications']

export function createRpcHandlers(service: PaymentsService): RpcHandlers<PaymentServiceDefinition> {
  return {
    GetPayment: {
      callers,
      async handle(request) {
        const id = parseId(request.id)
        const payment = id && (await service.paymentById(id))
        if (!payment) throw notFound('payment')
        return toMessage(payment)
      },
    },
    ListByOrder: {
      callers,
      async handle(request) {
        const orderId = parseId(request.orderId)
        if (!orderId) throw badInput('orderId', 'An order id is a UUID.')
        return { payments: (await service.paymentsOfOrder(orderId)).map(toMessage) }
      },
    },
  }
}

function toMessage({ declineReason, createdAt, ...payment }: Payment): PaymentMessage {
  const { id, orderId, customerId, amount, refunded, status } = payment
  const rest = { declineReason: declineReason ?? '', createdAt: createdAt.toISOString() }
  return { id, orderId, customerId, amount, refunded, status, ...rest }
}

/** What payments asks of orders. */
export function createOrdersClient(rpcs: Peer<OrderServiceDefinition>) {
  return {
    /** Undefined for an order that is not there. */
    async findOrder(id: string): Promise<PayableOrder | undefined> {
      try {
        const { number, customerId, status, total, payableUntil: until } = await rpcs.getOrder({ id })
        if (!total) throw new Error('An order has no total.')
        const { amount, currency } = total
        const payableUntil = until ? new Date(until) : null
        return { id, number, customerId, status, total: { amount, currency }, payableUntil }
      } catch (error) {
        if (hasCode(error, 'NOT_FOUND')) return undefined
        throw error
      }
    },
  }
}
