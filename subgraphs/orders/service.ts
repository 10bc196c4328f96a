import { orderCancelled } from '#contracts/events.ts'
import { notFound } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import {
  blankAddress,
  maySeeOrdersOf,
  type Order,
  type OrderStatus,
  reservationExpiredReason,
  transition,
} from './domain/order.ts'
import { type CreateOrderDependencies, createCreateOrder } from './service/create-order.ts'

export type OrderListing = {
  customerId: string
  status: OrderStatus | undefined
  limit: number
  after: { createdAt: Date; id: string } | undefined
}

export function createOrdersService(dependencies: CreateOrderDependencies) {
  const { store, now } = dependencies

  return {
    createOrder: createCreateOrder(dependencies),

    /** One more than asked for tells whether more follows. Throws NOT_FOUND. */
    async ordersOf(viewer: Principal, { limit, ...listing }: OrderListing): Promise<Order[]> {
      if (!maySeeOrdersOf(viewer, listing.customerId)) throw notFound('user')
      return store.listOrders({ ...listing, limit: limit + 1 })
    },

    /**
     * The hold of an order's items ended: the order, if it waits for payment, is cancelled. An order that has gone on
     * since is left alone, and one that was never placed can no longer be placed.
     */
    reservationExpired: (eventId: string, orderId: string): Promise<void> =>
      store.expire(eventId, orderId, (order) => {
        if (order.status !== 'PENDING') return undefined
        const cancelled = transition(order, 'CANCELLED', now(), reservationExpiredReason)
        return { order: cancelled, events: [cancellation(cancelled)] }
      }),

    /**
     * Forgets a person: their orders stay, for the books, without the address but for its country. Nothing more is placed
     * for them, also not by a request that is under way.
     */
    customerErased: (eventId: string, customerId: string): Promise<void> =>
      store.erase(eventId, customerId, now(), blankAddress),
  }
}

export type OrdersService = ReturnType<typeof createOrdersService>

function cancellation({ id: orderId, number, customerId, cancelReason }: Order) {
  return orderCancelled.of({ orderId, number, customerId, reason: cancelReason ?? '' })
}
