import type { Resolvers } from '#generated/graphql/notifications.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import { maySeeNotificationsOf } from './domain.ts'
import type { NotificationsService } from './service.ts'

export function createResolvers(service: NotificationsService): Resolvers {
  return {
    Notification: {
      async __resolveReference(reference, { principal, notifications }) {
        const id = parseId(reference.id)
        const notification = id && (await notifications.load(id))
        if (!notification || !maySeeNotificationsOf(principal, notification.userId)) throw notFound('notification')
        return notification
      },
      order: ({ orderId }) => (orderId === null ? null : { id: orderId }),
      deliveries: ({ deliveries }) => [...deliveries],
    },
    User: {
      __resolveReference: ({ id }) => ({ id }),
      async notifications({ id: userId }, args, { principal }) {
        const page = parsePage(args)
        return toConnection(await service.notificationsOf(principal, { userId, ...page }), page)
      },
    },
  }
}
