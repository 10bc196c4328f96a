import { reservationExpired } from '#contracts/events.ts'
import {
  type Category,
  hashItems,
  type Product,
  parseItems,
  type Reservation,
  type ReservationItem,
  repeatReservation,
  reserve,
} from './domain.ts'
import type { ProductsStore } from './store.ts'

export type ProductsDependencies = {
  store: ProductsStore
  /** Milliseconds that items are held for an order. */
  holdTime: number
  now: () => Date
}

/** Holds that one turn of the sweeper ends. */
const sweepSize = 100

export function createProductsService({ store, holdTime, now }: ProductsDependencies) {
  return {
    categories: (): Promise<Category[]> => store.findCategories(),

    /** One more than asked for tells whether more follows. */
    products: (limit: number, after: { createdAt: Date; id: string } | undefined): Promise<Product[]> =>
      store.listProducts(limit + 1, after),

    productsByIds: (ids: readonly string[]): Promise<Product[]> => store.findProducts(ids),

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

export type ProductsService = ReturnType<typeof createProductsService>
