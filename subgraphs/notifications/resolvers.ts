import type { Resolvers } from '#generated/graphql/notifications.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import type { Text } from './domain/message.ts'
import { isOwner, type Notification } from './domain/notification.ts'
import type { Context } from './loaders.ts'
import type { NotificationsService } from './service.ts'

export function createResolvers(service: NotificationsService): Resolvers {
  const texts = new WeakMap<Notification, Promise<Text>>()

  /** The words of a notification, in the language that its person chose: made once, however many fields ask for them. */
  function textOf(notification: Notification, { contacts }: Context): Promise<Text> {
    const { userId, facts } = notification
    const text = texts.get(notification) ?? contacts.load(userId).then((contact) => service.textOf(facts, contact))
    texts.set(notification, text)
    return text
  }

  return {
    Query: {
      pushPublicKey: () => service.pushPublicKey ?? null,
    },
    Mutation: {
      async markNotificationsRead(_root, { input }, { principal }) {
        const { userId, notifications } = await service.markRead(principal, input.ids)
        // Anew each time: an operation may mark more than once.
        return { notifications, unreadNotificationCount: await service.unreadCount(principal, userId) }
      },
      async updateNotificationPreferences(_root, { input }, { principal }) {
        return { preferences: await service.updatePreferences(principal, input.preferences) }
      },
      async subscribeToPush(_root, { input }, { principal }) {
        return { subscription: await service.subscribeToPush(principal, input) }
      },
      async unsubscribeFromPush(_root, { input }, { principal }) {
        return { removed: await service.unsubscribeFromPush(principal, input.endpoint) }
      },
    },
    Notification: {
      async __resolveReference(reference, { principal, notifications }) {
        const id = parseId(reference.id)
        const notification = id && (await notifications.load(id))
        if (!notification || !isOwner(principal, notification.userId)) throw notFound('notification')
        return notification
      },
      type: ({ facts }) => facts.type,
      title: async (notification, _args, context) => (await textOf(notification, context)).title,
      body: async (notification, _args, context) => (await textOf(notification, context)).body,
      order: ({ orderId }) => (orderId === null ? null : { id: orderId }),
      deliveries: ({ deliveries }) => [...deliveries],
    },
    User: {
      __resolveReference: ({ id }) => ({ id }),
      async notifications({ id: userId }, { unreadOnly, ...args }, { principal }) {
        const page = parsePage(args)
        const listing = { userId, unreadOnly: unreadOnly ?? false, ...page }
        return toConnection(await service.notificationsOf(principal, listing), page)
      },
      unreadNotificationCount: ({ id }, _args, { principal, unreadCounts }) =>
        service.unreadCount(principal, id, unreadCounts),
      notificationPreferences: ({ id }, _args, { principal }) => service.preferencesOf(principal, id),
    },
  }
}
