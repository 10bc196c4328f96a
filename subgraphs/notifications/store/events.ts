import { Prisma, type PrismaClient } from '#generated/prisma/notifications/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Contact } from '../domain/contact.ts'
import type { Reachability } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import { isErased, lockAccount } from './accounts.ts'

/** What an event makes known: how to reach the person, something to tell them, or both. */
export type Recording = {
  readonly contact?: Contact
  /** Decides by how the person can be reached, as it is once the contact is written. */
  readonly notification?: (reachability: Reachability) => Notification
  /** The place in a trace that its deliveries go on from. */
  readonly traceparent?: string | undefined
}

/** The effects of events. */
export function eventStore(prisma: PrismaClient) {
  /** What most events do takes two statements. Somebody who changes how to be reached meanwhile may do so before or after it. */
  async function tell(
    eventId: string,
    userId: string,
    notification: NonNullable<Recording['notification']>,
    traceparent: string | undefined,
  ): Promise<boolean> {
    const made = notification(await findAccount(prisma, userId))
    const handled = Prisma.sql`INSERT INTO inbox (event_id) VALUES (${eventId}::uuid) ON CONFLICT DO NOTHING RETURNING 1`
    return (await prisma.$executeRaw(addition(made, traceparent, handled))) > 0
  }

  return {
    /**
     * Writes the effect of an event about an account, once. A contact takes the place of an older one only, and nothing
     * is written about an account that is erased. True when something was written.
     */
    record(eventId: string, userId: string, { contact, notification, traceparent }: Recording): Promise<boolean> {
      if (!contact && notification) return tell(eventId, userId, notification, traceparent)
      return prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return false
        if (await isErased(tx, userId)) return false
        if (contact) await putContact(tx, contact)
        if (notification) await tx.$executeRaw(addition(notification(await findAccount(tx, userId)), traceparent))
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
        await lockAccount(tx, userId)
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

/** Keeps a contact unless a newer one is there, or the account is erased. */
async function putContact(tx: Prisma.TransactionClient, contact: Contact): Promise<void> {
  const { userId, name, email, locale, phone, sequence } = contact
  await tx.$executeRaw`
    INSERT INTO contacts (user_id, name, email, locale, phone, sequence)
    SELECT ${userId}::uuid, ${name}, ${email}, ${locale}, ${phone ?? null}, ${sequence}
    WHERE NOT EXISTS (SELECT FROM erasures WHERE user_id = ${userId}::uuid)
    ON CONFLICT (user_id) DO UPDATE
    SET name = EXCLUDED.name, email = EXCLUDED.email, locale = EXCLUDED.locale,
      phone = CASE WHEN ${phone === undefined} THEN contacts.phone ELSE EXCLUDED.phone END, sequence = EXCLUDED.sequence
    WHERE contacts.sequence < EXCLUDED.sequence`
}

/** What is known of an account, by one statement: events are many. */
async function findAccount(sql: Pick<Prisma.TransactionClient, '$queryRaw'>, userId: string): Promise<Reachability> {
  const [account] = await sql.$queryRaw<(Reachability & { known: boolean; phone: string | null })[]>`
    SELECT c.user_id IS NOT NULL AS known, c.phone,
      ARRAY(SELECT id FROM push_subscriptions s WHERE s.user_id = a.id) AS subscriptions,
      ARRAY(SELECT jsonb_build_object('channel', channel, 'type', type, 'enabled', enabled)
            FROM preferences p WHERE p.user_id = a.id) AS preferences
    FROM (VALUES (${userId}::uuid)) AS a (id)
    LEFT JOIN contacts c ON c.user_id = a.id`
  if (!account) throw new Error('A row of values is always there.')
  const { known, phone, subscriptions, preferences } = account
  return { contact: known ? { phone } : undefined, subscriptions, preferences }
}

/**
 * One statement for the notification and its deliveries, written where `condition` has a row and the account is not erased. It
 * affects one row or none.
 */
function addition(
  notification: Notification,
  traceparent: string | undefined,
  condition = Prisma.sql`SELECT 1`,
): Prisma.Sql {
  const { id, userId, facts, orderId, createdAt, readAt, deliveries } = notification
  return Prisma.sql`
    WITH condition AS (${condition}),
    added AS (
      INSERT INTO notifications (id, user_id, type, facts, order_id, created_at, read_at, traceparent)
      SELECT ${id}::uuid, ${userId}::uuid, ${facts.type}::notification_type, ${JSON.stringify(facts)}::jsonb,
        ${orderId}::uuid, ${createdAt}::timestamptz, ${readAt}::timestamptz, ${traceparent ?? null}
      FROM condition WHERE NOT is_erased(${userId}::uuid)
      RETURNING id, created_at
    ), sent AS (
      INSERT INTO deliveries (id, notification_id, channel, target_id, status, attempts, next_attempt_at, sent_at)
      SELECT d.id, added.id, d.channel, d."targetId", d.status, d.attempts, added.created_at, d."sentAt"
      FROM added, jsonb_to_recordset(${JSON.stringify(deliveries)}::jsonb)
        AS d (id uuid, channel channel, "targetId" uuid, status delivery_status, attempts int, "sentAt" timestamptz)
    )
    SELECT id FROM added`
}
