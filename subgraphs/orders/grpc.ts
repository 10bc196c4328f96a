import type { Order as OrderMessage } from '#generated/grpc/orders/v1/Order.ts'
import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import type { Money__Output } from '#generated/grpc/products/v1/Money.ts'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { badInput, hasCode, notFound } from '#platform/errors.ts'
import type { Peer } from '#platform/grpc/client.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import { accountGone, type Money, type Order, payableUntil, requireScope } from './domain/order.ts'
import type { Products, Users } from './service/dependencies.ts'
import type { OrdersService } from './service.ts'

const peers = ['payments', 'notifications']
const gateway = ['gateway']

export function createRpcHandlers(service: OrdersService): RpcHandlers<OrderServiceDefinition> {
  return {
    GetOrder: {
      callers: peers,
      async handle(request) {
        const id = parseId(request.id)
        const order = id && (await service.orderById(id))
        if (!order) throw notFound('order')
        return toMessage(order)
      },
    },
    ListOrders: {
      callers: peers,
      async handle({ customerId: text, pageSize, pageToken }) {
        const customerId = parseId(text)
        if (!customerId) throw badInput('customerId', 'This is no id of an account.')
        const page = parsePage({ first: pageSize || null, after: pageToken }, { first: 'pageSize', after: 'pageToken' })
        const { edges, pageInfo } = toConnection(await service.ordersOfCustomer(customerId, page), page)
        return {
          orders: edges.map(({ node }) => toMessage(node)),
          nextPageToken: (pageInfo.hasNextPage && pageInfo.endCursor) || '',
        }
      },
    },
    CreateOrder: {
      callers: gateway,
      async handle({ items, shippingAddress, idempotencyKey }, call) {
        const input = { items, shippingAddress: shippingAddress ?? {}, idempotencyKey }
        return toMessage(await service.createOrder(await call.principal(), input))
      },
    },
    UpdateOrderStatus: {
      callers: gateway,
      async handle({ id: orderId, status, trackingNumber, reason }, call) {
        const principal = await call.principal()
        requireScope(principal, 'orders:fulfil')
        switch (status) {
          case 'SHIPPED':
            return toMessage(await service.shipOrder(principal, { orderId, trackingNumber }))
          case 'DELIVERED':
            return toMessage(await service.deliverOrder(principal, orderId))
          case 'CANCELLED':
            return toMessage(await service.cancelOrder(principal, { orderId, reason }))
          default:
            throw badInput('status', 'An order is moved to SHIPPED, DELIVERED or CANCELLED.')
        }
      },
    },
    CancelOrder: {
      callers: gateway,
      async handle({ id: orderId, reason }, call) {
        return toMessage(await service.cancelOrder(await call.principal(), { orderId, reason }))
      },
    },
  }
}

function toMessage(order: Order): OrderMessage {
  const { id, number, customerId, status, total, lines } = order
  const until = payableUntil(order)?.toISOString() ?? ''
  return { id, number, customerId, status, total, items: [...lines], payableUntil: until }
}

/** What orders asks of users. */
export function createUsersClient(rpcs: Peer<UserServiceDefinition>): Users {
  return {
    async requireUser(id) {
      try {
        await rpcs.getUser({ id })
      } catch (error) {
        if (hasCode(error, 'NOT_FOUND')) throw accountGone()
        throw error
      }
    },
  }
}

/** What orders asks of products. */
export function createProductsClient(rpcs: Peer<ProductServiceDefinition>): Products {
  return {
    async reserve(orderId, items) {
      const { lines, expiresAt } = await rpcs.reserveStock({ orderId, items: [...items] })
      return {
        lines: lines.map(({ unitPrice, ...line }) => ({ ...line, unitPrice: toMoney(unitPrice) })),
        heldUntil: new Date(expiresAt),
      }
    },
    async commit(orderId) {
      try {
        await rpcs.commitReservation({ orderId }, { whateverTheDeadline: true })
        return true
      } catch (error) {
        if (hasCode(error, 'RESERVATION_ENDED', 'NOT_FOUND')) return false
        throw error
      }
    },
    async release(orderId) {
      await rpcs.releaseReservation({ orderId }, { whateverTheDeadline: true })
    },
  }
}

function toMoney(money: Money__Output | null): Money {
  if (!money) throw new Error('A reserved line has no price.')
  return { amount: money.amount, currency: money.currency }
}
