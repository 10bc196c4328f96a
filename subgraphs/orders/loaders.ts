import DataLoader from 'dataloader'
import type { Principal } from '#platform/principal.ts'
import type { Order } from './domain/order.ts'
import type { OrdersStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly orders: DataLoader<string, Order | undefined>
}

export function createContext(principal: Principal, store: OrdersStore): Context {
  return {
    principal,
    orders: new DataLoader(async (ids) => {
      const found = new Map((await store.findOrders(ids)).map((order) => [order.id, order]))
      return ids.map((id) => found.get(id))
    }),
  }
}
