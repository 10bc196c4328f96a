import type { OrderLine } from '../domain/order.ts'
import type { OrderItem } from '../domain/request.ts'
import type { OrdersStore } from '../store.ts'

/** What orders asks of users. */
export type Users = {
  /** Throws UNAUTHENTICATED for an account that is gone. */
  requireUser(id: string): Promise<void>
}

/** What orders asks of products. */
export type Products = {
  /** Holds all items for the order or none. Returns them with the prices of the hold, and until when it lasts. May be done again. */
  reserve(orderId: string, items: readonly OrderItem[]): Promise<{ lines: OrderLine[]; heldUntil: Date }>
  /** Sells what is held for the order. False when it is held no longer. May be done again. */
  commit(orderId: string): Promise<boolean>
  /** Puts back what is held for the order, and makes sure that nothing will be, also when the customer has gone. */
  release(orderId: string): Promise<void>
}

export type OrdersDependencies = {
  store: OrdersStore
  users: Users
  products: Products
  now: () => Date
  newId: () => string
  newNumber: () => string
  /** Milliseconds that one attempt may work on a claim before another one takes over. */
  leaseTime: number
  /** Orders of one customer that may wait to be paid. */
  mostUnpaid: () => number
  /** Milliseconds until the caller stops waiting. */
  timeLeft: () => number
  sleep: (milliseconds: number) => Promise<unknown>
  /** Told when stock may stay held until its hold ends, since it could not be released. */
  onUnreleased: (orderId: string, error: unknown) => void
}
