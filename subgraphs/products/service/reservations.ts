import { reservationExpired } from '#contracts/events.ts'
import {
  bringBack,
  commit,
  hashItems,
  parseItems,
  type Reservation,
  type ReservationItem,
  release,
  repeatReservation,
  reserve,
} from '../domain/reservation.ts'
import type { ProductsDependencies } from './dependencies.ts'
import { createStockTeller } from './stock.ts'

/** Holds that one turn of the sweeper ends, at the most. */
const largestSweep = 100
/** Milliseconds that payments of what is held have to reach us after an outage, at the most. */
const longestGrace = 120_000

/** Stock that is held for orders, and sold to them. */
export function createReservations(dependencies: ProductsDependencies) {
  const { store, holdTime, now, canTell } = dependencies
  const teller = createStockTeller(dependencies)
  /** What peers ask for, in the ledger's words. */
  const byOrders = () => ({ at: now(), actor: 'orders', teller })

  const grace = Math.min(holdTime, longestGrace)
  let sweepSize = largestSweep
  /** When payments may last not have reached us. How it was before this process began is not known. */
  let lastAway = now()

  return {
    /**
     * Holds all items for an order, or none. The same order with the same items gets what is held already.
     * Throws BAD_USER_INPUT, NOT_FOUND, INSUFFICIENT_STOCK, RESERVATION_ENDED or IDEMPOTENCY_KEY_REUSED.
     */
    async reserve(orderId: string, requested: readonly ReservationItem[]): Promise<Reservation> {
      const items = parseItems(requested)
      const { at, actor } = byOrders()
      const expiresAt = new Date(at.getTime() + holdTime)
      const reservation = { orderId, itemsHash: hashItems(items), expiresAt, at, actor }
      const { lines, existing } = await store.reserve(
        reservation,
        items,
        (products) => reserve(items, products),
        teller,
      )
      return existing ? repeatReservation(existing, items) : { ...reservation, status: 'HELD', lines }
    },

    /**
     * Sells what is held for an order, also when its time is over, unless somebody has put it back already. Nothing happens
     * the second time. Throws NOT_FOUND where nothing was ever held, and RESERVATION_ENDED when it is held no longer.
     */
    commit: (orderId: string): Promise<void> => store.changeReservation(orderId, commit, byOrders()),

    /**
     * Puts back what is held for an order, and makes sure that nothing will be held for it later. Nothing happens the second
     * time. Throws ILLEGAL_TRANSITION for what is sold.
     */
    release: (orderId: string): Promise<void> => store.changeReservation(orderId, release, byOrders()),

    /** Brings back what a cancelled order had, held or sold, once, and makes sure that nothing will be held for it later. */
    orderCancelled: (eventId: string, orderId: string): Promise<void> =>
      store.changeReservation(orderId, bringBack, { ...byOrders(), eventId }),

    /**
     * Ends holds that are overdue and tells of it. Returns true when there may be more. After a turn that failed, perhaps since
     * that was too much for one transaction, the next one ends half as many; after one that did not, twice as many.
     *
     * Guarantee: what was held while this process was not there, or saw the event log or the database away, ends only when
     * that is over for as long as the grace, so that payments from before reach us first.
     */
    async sweep(): Promise<boolean> {
      if (!(await canTell())) {
        lastAway = now()
        return false
      }
      const [limit, at] = [sweepSize, now()]
      const heldSince = at.getTime() - lastAway.getTime() < grace ? lastAway : new Date(0)
      const expiry = { limit, heldSince, at, actor: 'products', teller }
      try {
        const ended = await store.expire({ ...expiry, ended: (orderId) => reservationExpired.of({ orderId }) })
        sweepSize = Math.min(largestSweep, limit * 2)
        return ended === limit
      } catch (error) {
        sweepSize = Math.max(1, Math.floor(limit / 2))
        // It was not too much: the database does not write.
        if (limit === 1) lastAway = now()
        throw error
      }
    },
  }
}
