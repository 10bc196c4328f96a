import type { Prisma, PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { Contact } from '../domain/contact.ts'
import type { Facts } from '../domain/message.ts'
import type { Notification, UnreadCount } from '../domain/notification.ts'

const whole = {
  deliveries: { orderBy: [{ channel: 'asc' }, { targetId: 'asc' }] },
} as const satisfies Prisma.NotificationInclude

type Row = Prisma.NotificationGetPayload<{ include: typeof whole }>

type Listing = {
  userId: string
  unreadOnly: boolean
  limit: number
  after: { createdAt: Date; id: string } | undefined
}

/** What a person was told. */
export function notificationStore(prisma: PrismaClient) {
  async function findNotifications(ids: readonly string[]): Promise<Notification[]> {
    return (await prisma.notification.findMany({ where: { id: { in: [...ids] } }, include: whole })).map(toNotification)
  }

  return {
    findNotifications,

    /** A person's notifications, newest first, behind `after`. */
    async listNotifications({ userId, unreadOnly, limit, after }: Listing): Promise<Notification[]> {
      const rows = await prisma.notification.findMany({
        where: {
          userId,
          ...(unreadOnly && { readAt: null }),
          ...(after && {
            OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }],
          }),
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
        include: whole,
      })
      return rows.map(toNotification)
    },

    /** Of those who have something unread, how much. */
    async countUnread(userIds: readonly string[]): Promise<UnreadCount[]> {
      const where = { userId: { in: [...userIds] }, readAt: null }
      const counts = await prisma.notification.groupBy({ by: ['userId'], where, _count: true })
      return counts.map(({ userId, _count }) => ({ userId, unread: _count }))
    },

    /**
     * Marks all of these as read, or none where one of them is not this person's. One that was read before keeps its time.
     * Undefined for none.
     */
    async markRead(userId: string, ids: readonly string[], at: Date): Promise<Notification[] | undefined> {
      const where = { id: { in: [...ids] }, userId }
      const found = await prisma.notification.count({ where })
      if (found < ids.length) return undefined
      await prisma.notification.updateMany({ where: { ...where, readAt: null }, data: { readAt: at } })
      return findNotifications(ids)
    },

    /** Those of the accounts whose contact is known. */
    findContacts: (userIds: readonly string[]): Promise<Contact[]> =>
      prisma.contact.findMany({ where: { userId: { in: [...userIds] } } }),
  }
}

function toNotification({ type: _type, traceparent: _traceparent, facts, ...row }: Row): Notification {
  return { ...row, facts: facts as Facts }
}
