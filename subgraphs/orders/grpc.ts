import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import type { Money__Output } from '#generated/grpc/products/v1/Money.ts'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { hasCode, notFound } from '#platform/errors.ts'
import type { Peer } from '#platform/grpc/client.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import { accountGone, type Money, type Order, type OrderLine } from './domain/order.ts'
import type { OrderItem } from './domain/request.ts'

/** What of the service peers can ask for. */
type OrderDirectory = { orderById(id: string): Promise<Order | undefined> }

export function createRpcHandlers(service: OrderDirectory): RpcHandlers<OrderServiceDefinition> {
  return {
    GetOrder: {
      callers: ['payments', 'notifications'],
      async handle(request) {
        const id = parseId(request.id)
        const order = id && (await service.orderById(id))
        if (!order) throw notFound('order')
        const { number, customerId, status, total, lines } = order
        return { id, number, customerId, status, total, items: [...lines] }
      },
    },
  }
}

/** What orders asks of users. */
export function createUsersClient(rpcs: Peer<UserServiceDefinition>) {
  return {
    /** Throws UNAUTHENTICATED for an account that is gone. */
    async requireUser(id: string): Promise<void> {
      try {
        await rpcs.getUser({ id })
      } catch (error) {
        if (hasCode(error, 'NOT_FOUND')) throw accountGone()
        throw error
      }
    },
  }
}

export type Users = ReturnType<typeof createUsersClient>

/** What orders asks of products. */
export function createProductsClient(rpcs: Peer<ProductServiceDefinition>) {
  return {
    /** Holds all items for the order or none, and returns them with the prices of the hold. */
    async reserve(orderId: string, items: readonly OrderItem[]): Promise<OrderLine[]> {
      const { lines } = await rpcs.reserveStock({ orderId, items: [...items] })
      return lines.map(({ unitPrice, ...line }) => ({ ...line, unitPrice: toMoney(unitPrice) }))
    },
    /** Sells what is held for the order. False when it is held no longer. May be done again. */
    async commit(orderId: string): Promise<boolean> {
      try {
        await rpcs.commitReservation({ orderId }, { whateverTheDeadline: true })
        return true
      } catch (error) {
        if (hasCode(error, 'RESERVATION_ENDED', 'NOT_FOUND')) return false
        throw error
      }
    },
    /** Puts back what is held for the order, and makes sure that nothing will be, also when the customer has gone. */
    async release(orderId: string): Promise<void> {
      await rpcs.releaseReservation({ orderId }, { whateverTheDeadline: true })
    },
  }
}

export type Products = ReturnType<typeof createProductsClient>

function toMoney(money: Money__Output | null): Money {
  if (!money) throw new Error('A reserved line has no price.')
  return { amount: money.amount, currency: money.currency }
}
