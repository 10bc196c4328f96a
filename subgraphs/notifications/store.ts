import { type Prisma, PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { Database } from '#platform/database/open.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Contact, Notification, TakenDelivery } from './domain.ts'

const whole = { deliveries: { orderBy: { channel: 'asc' } } } as const satisfies Prisma.NotificationInclude

/** `giveUp` is in milliseconds. */
type TakeDue = { limit: number; at: Date; leaseUntil: Date; giveUp: number }
type TakenRow = Omit<TakenDelivery, 'recipient'> & { name: string | null; email: string | null }

/** The advisory locks by which what is recorded about an account and its erasure take turns. Any number of 32 bits. */
const accountLocks = 7_340_021

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

    /**
     * Writes the effect of an event about an account, once. A contact takes the place of an older one only, and nothing
     * is written about an account that is erased.
     */
    async record(
      eventId: string,
      userId: string,
      { contact, notification }: { contact?: Contact; notification?: Notification },
    ): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        // Waits for an erasure under way, and makes one that comes wait. The statement behind it sees what is committed by then.
        await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(${accountLocks}::int, hashtext(${userId}::uuid::text))`
        if (await tx.erasure.findUnique({ where: { userId } })) return
        if (contact) await putContact(tx, contact)
        if (notification) await addNotification(tx, notification)
      })
    },

    /**
     * Deletes all there is about an account, once, and leaves a mark by which `record` knows that it is erased.
     *
     * Guarantee: whatever is recorded at the same time is either deleted here or not written.
     */
    async erase(eventId: string, userId: string, at: Date): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${accountLocks}::int, hashtext(${userId}::uuid::text))`
        await tx.$executeRaw`
          INSERT INTO erasures (user_id, erased_at) VALUES (${userId}::uuid, ${at}) ON CONFLICT DO NOTHING`
        // Their deliveries go with them.
        await tx.notification.deleteMany({ where: { userId } })
        await tx.contact.deleteMany({ where: { userId } })
      })
    },

    /**
     * Takes deliveries that are due, so that until `leaseUntil` no other worker does. A delivery to a person that the
     * users service has not told of yet is not due, until `giveUp` has gone by since it was recorded.
     */
    async takeDue({ limit, at, leaseUntil, giveUp }: TakeDue): Promise<TakenDelivery[]> {
      // One statement: what it returns was all there when it was taken.
      const taken = await prisma.$queryRaw<TakenRow[]>`
        WITH due AS (
          SELECT d.id, n.title, n.body, n.created_at, c.name, c.email
          FROM deliveries d JOIN notifications n ON n.id = d.notification_id
          LEFT JOIN contacts c ON c.user_id = n.user_id
          WHERE d.status = 'QUEUED' AND d.next_attempt_at <= ${at}
            AND (c.user_id IS NOT NULL OR n.created_at <= ${new Date(at.getTime() - giveUp)})
          ORDER BY d.next_attempt_at LIMIT ${limit} FOR UPDATE OF d SKIP LOCKED
        )
        UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = ${leaseUntil}
        FROM due WHERE deliveries.id = due.id
        RETURNING deliveries.id, channel, attempts AS attempt, created_at AS "createdAt", title, body, name, email`
      return taken.map(({ name, email, ...delivery }) => ({
        ...delivery,
        recipient: name === null || email === null ? undefined : { name, email },
      }))
    },

    /** Without effect where the account was erased meanwhile. */
    async markSent(id: string, at: Date): Promise<void> {
      await prisma.delivery.updateMany({ where: { id }, data: { status: 'SENT', sentAt: at, lastError: null } })
    },

    /** Keeps a delivery for `next`, or gives it up when there is none. Without effect where the account was erased meanwhile. */
    async markFailedAttempt(id: string, next: Date | undefined, reason: string): Promise<void> {
      const data = next ? { nextAttemptAt: next } : { status: 'FAILED' as const }
      await prisma.delivery.updateMany({ where: { id }, data: { ...data, lastError: reason } })
    },

    close: () => prisma.$disconnect(),
  }
}

export type NotificationsStore = ReturnType<typeof createNotificationsStore>

/** Keeps a contact unless a newer one is there. */
async function putContact(tx: Prisma.TransactionClient, contact: Contact): Promise<void> {
  const { userId, name, email, locale, sequence } = contact
  await tx.$executeRaw`
    INSERT INTO contacts (user_id, name, email, locale, sequence)
    VALUES (${userId}::uuid, ${name}, ${email}, ${locale}, ${sequence})
    ON CONFLICT (user_id) DO UPDATE
    SET name = EXCLUDED.name, email = EXCLUDED.email, locale = EXCLUDED.locale, sequence = EXCLUDED.sequence
    WHERE contacts.sequence < EXCLUDED.sequence`
}

async function addNotification(tx: Prisma.TransactionClient, notification: Notification): Promise<void> {
  const { deliveries, ...row } = notification
  const data = deliveries.map((delivery) => ({ ...delivery, nextAttemptAt: notification.createdAt }))
  await tx.notification.create({ data: { ...row, deliveries: { createMany: { data } } }, select: { id: true } })
}
