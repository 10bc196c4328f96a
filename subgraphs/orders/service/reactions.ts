import { badInput, notFound } from '#platform/errors.ts'
import { blankAddress, type Money, type Order } from '../domain/order.ts'
import { close, decline, expire, pay, refund } from '../domain/saga.ts'
import type { OrdersStore } from '../store.ts'
import type { Products } from './dependencies.ts'
import { told } from './moves.ts'

type Payment = { readonly paymentId: string; readonly orderId: string }

/**
 * What becomes of orders by what others tell, once for each event, whatever order they come in. Each names what a race may
 * have overtaken: that is recorded as handled, without effect. An event about an order that never was is refused with
 * NOT_FOUND, and goes to the dead letters.
 */
export function createReactions({
  store,
  products,
  now,
}: {
  store: OrdersStore
  products: Pick<Products, 'commit'>
  now: () => Date
}) {
  async function handle(
    eventId: string,
    orderId: string,
    move: (order: Order) => Order | undefined | Promise<Order | undefined>,
  ): Promise<void> {
    const isThere = await store.handle(eventId, orderId, async (order) => told(order, await move(order)))
    if (!isThere) throw notFound('order')
  }

  return {
    /**
     * An order was paid. Its items are sold first, which may be done again; then it is PAID, or, when its hold had ended,
     * CANCELLED, upon which payments gives the money back. Overtaken: by a cancellation, which does the same.
     */
    paymentCaptured: (eventId: string, { orderId, amount }: Payment & { amount: Money }): Promise<void> =>
      handle(eventId, orderId, async (order) => {
        const { total, status } = order
        if (amount.amount !== total.amount || amount.currency !== total.currency) {
          throw badInput('amount', 'What was paid is not what the order costs.')
        }
        const sold = status === 'PENDING' && (await products.commit(orderId))
        return sold ? pay(order, now()) : expire(order, now())
      }),

    /** A payment was declined: the order can be paid again. Overtaken: by whatever ended the wait for a payment. */
    paymentDeclined: (eventId: string, { orderId }: Payment): Promise<void> =>
      handle(eventId, orderId, (order) => decline(order, now())),

    /** So much was given back. All of it before it is shipped ends the order. */
    paymentRefunded: (
      eventId: string,
      { orderId, amount, full }: Payment & { amount: Money; full: boolean },
    ): Promise<void> => handle(eventId, orderId, (order) => refund(order, amount, { full, at: now() })),

    /**
     * The hold of an order's items ended. Overtaken: by a payment or a cancellation. An order that was never placed can no
     * longer be placed.
     */
    reservationExpired: (eventId: string, orderId: string): Promise<void> =>
      store.expire(eventId, orderId, (order) => told(order, expire(order, now()))),

    /**
     * Forgets a person: their orders stay, for the books, without the address but for its country, and what is not shipped
     * yet ends. Nothing more is placed for them, also not by a request that is under way.
     */
    customerErased: (eventId: string, customerId: string): Promise<void> =>
      store.erase(eventId, customerId, now(), {
        blank: blankAddress,
        end: (order) => told(order, close(order, now())),
      }),
  }
}
