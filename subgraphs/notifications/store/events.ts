import type { Prisma, PrismaClient } from '#generated/prisma/notifications/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Contact } from '../domain/contact.ts'
import type { Reachability } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import { isErased, lockForErasure } from './accounts.ts'

/** What an event makes known: how to reach the person, something to tell them, or both. */
export type Recording = {
  readonly contact?: Contact
  /** Decides by how the person can be reached, as it is once the contact is written. */
  readonly notification?: (reachability: Reachability) => Notification
}

/** The effects of events. */
export function eventStore(prisma: PrismaClient) {
  return {
    /**
     * Writes the effect of an event about an account, once. A contact takes the place of an older one only, and nothing
     * is written about an account that is erased. True when something was written.
     */
    record(eventId: string, userId: string, { contact, notification }: Recording): Promise<boolean> {
      return prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return false
        if (await isErased(tx, userId)) return false
        if (contact) await putContact(tx, contact)
        if (notification) await addNotification(tx, notification(await reachabilityOf(tx, userId)))
        return true
      })
    },

    /**
     * Deletes all there is about an account, once, and leaves a mark by which others know that it is erased.
     *
     * Guarantee: whatever is written at the same time is either deleted here or not written.
     */
    async erase(eventId: string, userId: string, at: Date): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        await lockForErasure(tx, userId)
        await tx.$executeRaw`
          INSERT INTO erasures (user_id, erased_at) VALUES (${userId}::uuid, ${at}) ON CONFLICT DO NOTHING`
        // Their deliveries go with them.
        await tx.notification.deleteMany({ where: { userId } })
        await tx.preference.deleteMany({ where: { userId } })
        await tx.pushSubscription.deleteMany({ where: { userId } })
        await tx.contact.deleteMany({ where: { userId } })
      })
    },
  }
}

/** Keeps a contact unless a newer one is there. */
async function putContact(tx: Prisma.TransactionClient, contact: Contact): Promise<void> {
  const { userId, name, email, locale, phone, sequence } = contact
  await tx.$executeRaw`
    INSERT INTO contacts (user_id, name, email, locale, phone, sequence)
    VALUES (${userId}::uuid, ${name}, ${email}, ${locale}, ${phone ?? null}, ${sequence})
    ON CONFLICT (user_id) DO UPDATE
    SET name = EXCLUDED.name, email = EXCLUDED.email, locale = EXCLUDED.locale,
      phone = CASE WHEN ${phone === undefined} THEN contacts.phone ELSE EXCLUDED.phone END, sequence = EXCLUDED.sequence
    WHERE contacts.sequence < EXCLUDED.sequence`
}

async function reachabilityOf(tx: Prisma.TransactionClient, userId: string): Promise<Reachability> {
  const contact = await tx.contact.findUnique({ where: { userId }, select: { phone: true } })
  const subscriptions = await tx.pushSubscription.findMany({ where: { userId }, select: { id: true } })
  const preferences = await tx.preference.findMany({ where: { userId } })
  return { contact: contact ?? undefined, subscriptions: subscriptions.map(({ id }) => id), preferences }
}

async function addNotification(tx: Prisma.TransactionClient, notification: Notification): Promise<void> {
  const { deliveries, facts, ...row } = notification
  await tx.notification.create({ data: { ...row, type: facts.type, facts }, select: { id: true } })
  if (deliveries.length === 0) return
  await tx.delivery.createMany({
    data: deliveries.map((delivery) => ({
      ...delivery,
      notificationId: notification.id,
      nextAttemptAt: notification.createdAt,
    })),
  })
}
