import DataLoader from 'dataloader'
import type { Principal } from '#platform/principal.ts'
import type { Notification } from './domain.ts'
import type { NotificationsStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly notifications: DataLoader<string, Notification | undefined>
}

export function createContext(principal: Principal, store: NotificationsStore): Context {
  return {
    principal,
    notifications: new DataLoader(async (ids) => {
      const found = new Map((await store.findNotifications(ids)).map((notification) => [notification.id, notification]))
      return ids.map((id) => found.get(id))
    }),
  }
}
