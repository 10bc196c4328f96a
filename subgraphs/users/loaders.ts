import DataLoader from 'dataloader'
import type { Principal } from '#platform/principal.ts'
import type { User } from './domain.ts'
import type { UsersStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly users: DataLoader<string, User | undefined>
}

export function createContext(principal: Principal, store: UsersStore): Context {
  return {
    principal,
    users: new DataLoader(async (ids) => {
      const found = new Map((await store.findUsers(ids)).map((user) => [user.id, user]))
      return ids.map((id) => found.get(id))
    }),
  }
}
