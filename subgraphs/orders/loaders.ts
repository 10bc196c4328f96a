import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import { type Order, visibleCustomer } from './domain/order.ts'
import type { OrdersStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller may see. */
export type Context = {
  readonly principal: Principal
  readonly orders: Loader<Order>
}

export function createContext(principal: Principal, store: OrdersStore): Context {
  const customerId = visibleCustomer(principal)
  const find = async (ids: readonly string[]) => (customerId === null ? [] : store.findOrders(ids, customerId))
  return { principal, orders: createLoader(find, ({ id }) => id) }
}
