import { notFound } from '#platform/errors.ts'
import { type Facts, type Person, stranger, type Text } from '../domain/message.ts'
import { isOwner, type Notification, parseIds, type UnreadCount } from '../domain/notification.ts'
import { type Caller, type NotificationsDependencies, signedIn } from './dependencies.ts'

export type Listing = {
  userId: string
  unreadOnly: boolean
  limit: number
  after: { createdAt: Date; id: string } | undefined
}

type UnreadCounts = { load(userId: string): Promise<UnreadCount | undefined> }

/** What a person was told, for that person alone. */
export function createReading({ store, templates, now }: NotificationsDependencies) {
  return {
    /** The words for what a person was told, in their language; in English for one whom the users service has not told of yet. */
    textOf: (facts: Facts, person: Person = stranger): Text => templates.renderNotification(facts, person),

    /** One more than asked for tells whether more follows. Throws NOT_FOUND. */
    async notificationsOf(viewer: Caller, listing: Listing): Promise<Notification[]> {
      if (!isOwner(viewer, listing.userId)) throw notFound('user')
      return store.listNotifications({ ...listing, limit: listing.limit + 1 })
    },

    /** Throws NOT_FOUND. `counts` are a request's own, so that it is counted once there. */
    async unreadCount(viewer: Caller, userId: string, counts?: UnreadCounts): Promise<number> {
      if (!isOwner(viewer, userId)) throw notFound('user')
      const count = counts ? await counts.load(userId) : (await store.countUnread([userId]))[0]
      return count?.unread ?? 0
    },

    /** Marks all of these as read, or none. Throws UNAUTHENTICATED, BAD_USER_INPUT, NOT_FOUND where one is not the caller's. */
    async markRead(
      caller: Caller,
      texts: readonly string[],
    ): Promise<{ userId: string; notifications: Notification[] }> {
      const userId = signedIn(caller)
      const ids = parseIds(texts)
      const known = ids.filter((id) => id !== undefined)
      const notifications = known.length === ids.length ? await store.markRead(userId, known, now()) : undefined
      if (!notifications) throw notFound('notification')
      return { userId, notifications }
    },
  }
}
