import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import type { Contact } from './domain/contact.ts'
import type { Notification, UnreadCount } from './domain/notification.ts'
import type { NotificationsStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly notifications: Loader<Notification>
  readonly contacts: Loader<Contact>
  readonly unreadCounts: Loader<UnreadCount>
}

export function createContext(principal: Principal, store: NotificationsStore): Context {
  return {
    principal,
    notifications: createLoader(store.findNotifications, ({ id }) => id),
    contacts: createLoader(store.findContacts, ({ userId }) => userId),
    unreadCounts: createLoader(store.countUnread, ({ userId }) => userId),
  }
}
