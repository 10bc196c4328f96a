import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import type { User } from './domain/account.ts'
import type { UsersStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly users: Loader<User>
}

export function createContext(principal: Principal, store: UsersStore): Context {
  return { principal, users: createLoader(store.findUsers, ({ id }) => id) }
}
