import { type NewEvent, orderCancelled, orderDelivered, orderPaid, orderShipped } from '#contracts/events.ts'
import type { Order, OrderStatus } from '../domain/order.ts'
import type { Change } from '../store/changes.ts'

/** The event that tells of an order's new status. Of its first one the placing tells itself. */
const eventOf: Record<Exclude<OrderStatus, 'PENDING'>, (order: Order) => NewEvent> = {
  PAID: (order) => orderPaid.of({ ...common(order), total: order.total }),
  SHIPPED: (order) => orderShipped.of({ ...common(order), trackingNumber: order.trackingNumber ?? '' }),
  DELIVERED: (order) => orderDelivered.of(common(order)),
  CANCELLED: (order) =>
    orderCancelled.of({ ...common(order), reason: order.cancelReason ?? '', by: order.history.at(-1)?.by }),
}

/** What a move makes of an order, with the event that tells of it, where its status changed. Nothing for no move. */
export function told(before: Order, after: Order | undefined): Change | undefined {
  if (!after) return undefined
  const { status } = after
  const events = status === before.status || status === 'PENDING' ? [] : [eventOf[status](after)]
  return { order: after, events }
}

function common({ id: orderId, number, customerId }: Order) {
  return { orderId, number, customerId }
}
