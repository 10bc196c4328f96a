import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import type { Order } from './domain/order.ts'
import type { OrdersStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly orders: Loader<Order>
}

export function createContext(principal: Principal, store: OrdersStore): Context {
  return { principal, orders: createLoader(store.findOrders, ({ id }) => id) }
}
