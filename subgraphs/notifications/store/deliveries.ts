import type { PrismaClient } from '#generated/prisma/notifications/client.ts'
import { together } from '#platform/loader.ts'
import type { ChannelName } from '../domain/channel.ts'
import type { Contact } from '../domain/contact.ts'
import type { TakenDelivery } from '../domain/delivery.ts'

/** `giveUp` is in milliseconds. */
type TakeDue = { channel: ChannelName; limit: number; at: Date; leaseUntil: Date; giveUp: number }

type TakenRow = Omit<TakenDelivery, 'contact' | 'subscription'> &
  Pick<Contact, 'phone'> & { [Name in 'name' | 'email' | 'locale']: string | null } & {
    [Name in 'subscriptionId' | 'endpoint' | 'p256dh' | 'auth']: string | null
  }

type Sent = { id: string; at: Date }

/** Milliseconds in which what is sent gathers, to be written down together. */
const gatheringTime = 10

/** What is on its way to people. */
export function deliveryStore(prisma: PrismaClient) {
  const markSent = together(markAll, { time: gatheringTime })

  async function markAll(batch: readonly Sent[]): Promise<undefined[]> {
    await prisma.$executeRaw`
      UPDATE deliveries SET status = 'SENT', sent_at = sent.at, last_error = NULL, address = NULL
      FROM unnest(${batch.map(({ id }) => id)}::uuid[], ${batch.map(({ at }) => at)}::timestamptz[]) AS sent (id, at)
      WHERE deliveries.id = sent.id`
    return batch.map(() => undefined)
  }

  return {
    /**
     * Takes deliveries of one channel that are due, so that until `leaseUntil` no other worker does. A delivery to a person
     * that the users service has not told of yet is not due, until `giveUp` has gone by since it was recorded.
     */
    async takeDue({ channel, limit, at, leaseUntil, giveUp }: TakeDue): Promise<TakenDelivery[]> {
      // One statement: what it returns was all there when it was taken.
      const taken = await prisma.$queryRaw<TakenRow[]>`
        WITH due AS (
          SELECT d.id, n.user_id, n.facts, n.created_at, n.traceparent, c.name,
            coalesce(d.address, c.email) AS email, c.locale, c.phone,
            s.id AS subscription_id, s.endpoint, s.p256dh, s.auth
          FROM deliveries d JOIN notifications n ON n.id = d.notification_id
          LEFT JOIN contacts c ON c.user_id = n.user_id
          LEFT JOIN push_subscriptions s ON s.id = d.target_id AND s.user_id = n.user_id
          WHERE d.status = 'QUEUED' AND d.channel = ${channel}::channel AND d.next_attempt_at <= ${at}
            AND (c.user_id IS NOT NULL OR n.created_at <= ${new Date(at.getTime() - giveUp)})
          ORDER BY d.next_attempt_at LIMIT ${limit} FOR UPDATE OF d SKIP LOCKED
        )
        UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = ${leaseUntil}
        FROM due WHERE deliveries.id = due.id
        RETURNING deliveries.id, attempts AS attempt, user_id AS "userId", facts, created_at AS "createdAt", traceparent,
          name, email, locale, phone, subscription_id AS "subscriptionId", endpoint, p256dh, auth`
      return taken.map(toTaken)
    },

    /** Without effect where the account was erased meanwhile. */
    markSent: (id: string, at: Date): Promise<undefined> => markSent({ id, at }),

    /**
     * Keeps a delivery for `next`, or gives it up when there is none. False, and without effect, where it is no longer this attempt's:
     * another worker has it since, or sent it, or the account was erased.
     */
    async markFailedAttempt(
      { id, attempt }: Pick<TakenDelivery, 'id' | 'attempt'>,
      next: Date | undefined,
      reason: string,
    ): Promise<boolean> {
      const data = next ? { nextAttemptAt: next } : { status: 'FAILED' as const, address: null }
      const where = { id, attempts: attempt, status: 'QUEUED' as const }
      return (await prisma.delivery.updateMany({ where, data: { ...data, lastError: reason } })).count > 0
    },
  }
}

function toTaken(row: TakenRow): TakenDelivery {
  const { name, email, locale, phone, subscriptionId, endpoint, p256dh, auth, ...delivery } = row
  return {
    ...delivery,
    contact: name === null || email === null || locale === null ? null : { name, email, locale, phone },
    subscription:
      subscriptionId === null || endpoint === null || p256dh === null || auth === null
        ? null
        : { id: subscriptionId, endpoint, p256dh, auth },
  }
}
