import { createGroupLoader, createLoader, type GroupLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import { type Payment, visibleCustomer } from './domain/payment.ts'
import type { PaymentsStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller may see. */
export type Context = {
  readonly principal: Principal
  readonly payments: Loader<Payment>
  /** By the order's id, oldest first. */
  readonly paymentsOfOrder: GroupLoader<Payment>
}

export function createContext(principal: Principal, store: PaymentsStore): Context {
  const customerId = visibleCustomer(principal)
  const visible = (find: (ids: readonly string[], customerId?: string) => Promise<Payment[]>) => {
    return async (ids: readonly string[]) => (customerId === null ? [] : find(ids, customerId))
  }
  return {
    principal,
    payments: createLoader(visible(store.findPayments), ({ id }) => id),
    paymentsOfOrder: createGroupLoader(visible(store.findByOrders), ({ orderId }) => orderId),
  }
}
