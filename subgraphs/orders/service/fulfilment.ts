import { notFound } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'
import { type Actor, actorOf, type Caller, type Order } from '../domain/order.ts'
import { cancel, cancelReasons, deliver, type Move, ship } from '../domain/saga.ts'
import type { OrdersStore } from '../store.ts'
import { told } from './moves.ts'

/**
 * What people do with an order that was placed. Each throws ILLEGAL_TRANSITION where its life does not allow it, NOT_FOUND for
 * an order that the caller may not see, in the words of one that never was, FORBIDDEN for one that the caller may only see,
 * and UNAUTHENTICATED. What was done already is answered with the order.
 */
export function createFulfilment({ store, now }: { store: OrdersStore; now: () => Date }) {
  async function change(
    caller: Caller,
    text: string,
    { customerMay, move }: { customerMay: boolean; move: (order: Order, at: Move) => Order | undefined },
  ): Promise<Order> {
    const id = parseId(text)
    const order =
      id &&
      (await store.changeOrder(id, (before) => {
        const actor: Actor = actorOf(caller, before, { customerMay })
        return told(before, move(before, { at: now(), actor }))
      }))
    if (!order) throw notFound('order')
    return order
  }

  return {
    /** Ends an order that is not shipped yet: its items are for sale again, and what was paid is given back. */
    async cancelOrder(caller: Caller, input: { orderId: string; reason?: string | null | undefined }): Promise<Order> {
      const reason = input.reason?.trim() ? parseText('reason', input.reason, 200) : cancelReasons.requested
      return change(caller, input.orderId, {
        customerMay: true,
        move: (order, move) => cancel(order, { ...move, reason }),
      })
    },

    /** Hands a paid order to the carrier. Throws BAD_USER_INPUT for what is no tracking number. */
    async shipOrder(caller: Caller, input: { orderId: string; trackingNumber: string }): Promise<Order> {
      const trackingNumber = parseText('trackingNumber', input.trackingNumber, 100)
      return change(caller, input.orderId, {
        customerMay: false,
        move: (order, move) => ship(order, trackingNumber, move),
      })
    },

    /** The customer has it. */
    deliverOrder: (caller: Caller, orderId: string): Promise<Order> =>
      change(caller, orderId, { customerMay: false, move: deliver }),
  }
}
