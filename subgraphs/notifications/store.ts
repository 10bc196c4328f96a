import { type Prisma, PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { Database } from '#platform/database/open.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Contact, Notification, TakenDelivery } from './domain.ts'

const whole = { deliveries: { orderBy: { channel: 'asc' } } } as const satisfies Prisma.NotificationInclude

/** `giveUp` is in milliseconds. */
type TakeDue = { limit: number; at: Date; leaseUntil: Date; giveUp: number }

export function createNotificationsStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })

  return {
    async findNotifications(ids: readonly string[]): Promise<Notification[]> {
      return prisma.notification.findMany({ where: { id: { in: [...ids] } }, include: whole })
    },

    /** A person's notifications, newest first, behind `after`. */
    listNotifications({
      userId,
      limit,
      after,
    }: {
      userId: string
      limit: number
      after: { createdAt: Date; id: string } | undefined
    }): Promise<Notification[]> {
      return prisma.notification.findMany({
        where: {
          userId,
          ...(after && {
            OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }],
          }),
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
        include: whole,
      })
    },

    /** Writes the effect of an event, once. */
    async record(
      eventId: string,
      { contact, notification }: { contact?: Contact; notification: Notification },
    ): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        if (contact) {
          const { userId, ...data } = contact
          await tx.contact.upsert({ where: { userId }, create: contact, update: data })
        }
        const { deliveries, ...row } = notification
        const data = deliveries.map((delivery) => ({ ...delivery, nextAttemptAt: notification.createdAt }))
        await tx.notification.create({ data: { ...row, deliveries: { createMany: { data } } }, select: { id: true } })
      })
    },

    /**
     * Takes deliveries that are due, so that until `leaseUntil` no other worker does. A delivery to a person that the
     * users service has not told of yet is not due, until `giveUp` has gone by since it was recorded.
     */
    async takeDue({ limit, at, leaseUntil, giveUp }: TakeDue): Promise<TakenDelivery[]> {
      const taken = await prisma.$queryRaw<{ id: string }[]>`
        UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = ${leaseUntil} WHERE id IN (
          SELECT d.id FROM deliveries d JOIN notifications n ON n.id = d.notification_id
          LEFT JOIN contacts c ON c.user_id = n.user_id
          WHERE d.status = 'QUEUED' AND d.next_attempt_at <= ${at}
            AND (c.user_id IS NOT NULL OR n.created_at <= ${new Date(at.getTime() - giveUp)})
          ORDER BY d.next_attempt_at LIMIT ${limit} FOR UPDATE OF d SKIP LOCKED
        ) RETURNING id`
      if (taken.length === 0) return []
      const rows = await prisma.delivery.findMany({
        where: { id: { in: taken.map(({ id }) => id) } },
        include: { notification: true },
      })
      const userIds = rows.map(({ notification }) => notification.userId)
      const contacts = await prisma.contact.findMany({ where: { userId: { in: userIds } } })
      const byUser = new Map(contacts.map((contact) => [contact.userId, contact]))
      return rows.map(({ id, channel, attempts, notification: { userId, title, body, createdAt } }) => ({
        id,
        channel,
        attempt: attempts,
        createdAt,
        title,
        body,
        recipient: byUser.get(userId),
      }))
    },

    async markSent(id: string, at: Date): Promise<void> {
      await prisma.delivery.update({ where: { id }, data: { status: 'SENT', sentAt: at, lastError: null } })
    },

    /** Keeps a delivery for `next`, or gives it up when there is none. */
    async markFailedAttempt(id: string, next: Date | undefined, reason: string): Promise<void> {
      const data = next ? { nextAttemptAt: next } : { status: 'FAILED' as const }
      await prisma.delivery.update({ where: { id }, data: { ...data, lastError: reason } })
    },

    close: () => prisma.$disconnect(),
  }
}

export type NotificationsStore = ReturnType<typeof createNotificationsStore>
