import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import type { Notification } from './domain.ts'
import type { NotificationsStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly notifications: Loader<Notification>
}

export function createContext(principal: Principal, store: NotificationsStore): Context {
  return { principal, notifications: createLoader(store.findNotifications, ({ id }) => id) }
}
