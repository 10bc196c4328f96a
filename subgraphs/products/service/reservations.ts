import { reservationExpired } from '#contracts/events.ts'
import {
  hashItems,
  parseItems,
  type Reservation,
  type ReservationItem,
  repeatReservation,
  reserve,
} from '../domain/stock.ts'
import type { ProductsDependencies } from './dependencies.ts'

/** Holds that one turn of the sweeper ends. */
const sweepSize = 100

/** Stock that is held for orders. */
export function createReservations({ store, holdTime, now }: ProductsDependencies) {
  return {
    /**
     * Holds all items for an order, or none. The same order with the same items gets what is held already.
     * Throws BAD_USER_INPUT, NOT_FOUND, INSUFFICIENT_STOCK, RESERVATION_ENDED or IDEMPOTENCY_KEY_REUSED.
     */
    async reserve(orderId: string, requested: readonly ReservationItem[]): Promise<Reservation> {
      const items = parseItems(requested)
      const at = now()
      const reservation = { orderId, itemsHash: hashItems(items), expiresAt: new Date(at.getTime() + holdTime), at }
      const { lines, existing } = await store.reserve(reservation, items, (products) => reserve(items, products))
      return existing ? repeatReservation(existing, items) : { ...reservation, status: 'HELD', lines }
    },

    /** Puts back what is held for an order, and makes sure that nothing will be held for it later. */
    release: (orderId: string): Promise<void> => store.release(orderId, now()),

    /** Ends holds that are overdue and tells of it. Returns true when there may be more. */
    async sweep(): Promise<boolean> {
      const ended = await store.expire(sweepSize, now(), (orderId) => [reservationExpired.of({ orderId })])
      return ended === sweepSize
    },
  }
}
