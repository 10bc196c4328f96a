import type { Prisma, PrismaClient } from '#generated/prisma/notifications/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { together } from '#platform/loader.ts'
import type { Contact } from '../domain/contact.ts'
import { mostAnHour, patience, type Reachability } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import { requiredTypes } from '../domain/preference.ts'
import { isErased, lockAccount } from './accounts.ts'

/** What an event makes known: how to reach the person, something to tell them, or both. */
export type Recording = {
  readonly contact?: Contact
  /** Decides by how the person can be reached, as it is once the contact is written. */
  readonly notification?: (reachability: Reachability) => Notification
  /** The same, where the contact's e-mail address takes the place of another one: `from`. */
  readonly moved?: (reachability: Reachability, from: string) => Notification
  /** Browsers that subscribed before this get no pushes any more. */
  readonly endsSubscriptionsBefore?: Date | undefined
  /** Nothing is told where the account was told of something of the same type that happened after this. */
  readonly unlessToldSince?: Date | undefined
  /** The place in a trace that its deliveries go on from. */
  readonly traceparent?: string | undefined
}

export type ErasureOptions = {
  /** Notifications that one transaction of an erasure deletes. Default 1000: an account may have any number of them. */
  erasureBatch?: number
}

/** The effects of events. */
export function eventStore(prisma: PrismaClient, { erasureBatch = 1_000 }: ErasureOptions = {}) {
  const findAccountOf = together((accounts: readonly { userId: string }[]) =>
    findAccounts(
      prisma,
      accounts.map(({ userId }) => userId),
    ),
  )
  const add = together((additions: readonly Addition[]) => addAll(prisma, additions))
  /**
   * What most events do takes two statements, for all that are there at once. Somebody who changes how to be reached meanwhile may
   * do so before or after it.
   */
  async function tell(
    eventId: string,
    userId: string,
    notification: NonNullable<Recording['notification']>,
    rest: Pick<Recording, 'unlessToldSince' | 'traceparent'>,
  ): Promise<boolean> {
    return add({ ...rest, eventId, notification: notification(await findAccountOf({ userId })) })
  }

  /** Deletes a batch of an account's newest notifications, with their deliveries. How many it were. */
  function deleteNotifications(userId: string): Promise<number> {
    return prisma.$transaction(async (tx) => {
      await lockAccount(tx, userId)
      return tx.$executeRaw`
        DELETE FROM notifications WHERE id IN (
          SELECT id FROM notifications WHERE user_id = ${userId}::uuid
          ORDER BY created_at DESC, id DESC LIMIT ${erasureBatch})`
    })
  }

  return {
    /**
     * Writes the effect of an event about an account, once. A contact takes the place of an older one only, and nothing
     * is written about an account that is erased. Subscriptions that end do so before it is decided how the person is told. True when
     * something was written.
     */
    record(eventId: string, userId: string, recording: Recording): Promise<boolean> {
      const { contact, notification, moved, endsSubscriptionsBefore: end, ...rest } = recording
      if (!contact && !end && notification) return tell(eventId, userId, notification, rest)
      return prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return false
        if (await isErased(tx, userId)) return false
        if (end) await tx.pushSubscription.deleteMany({ where: { userId, createdAt: { lt: end } } })
        const from = contact && (await putContact(tx, contact))
        if (!notification && from === undefined) return true
        const [account] = await findAccounts(tx, [userId])
        if (!account) return true
        const made = from === undefined ? notification?.(account) : moved?.(account, from)
        if (!made) return true
        if (from !== undefined) await holdAddress(tx, userId, from, new Date(made.createdAt.getTime() - patience))
        await addAll(tx, [{ ...rest, notification: made }])
        return true
      })
    },

    /**
     * Deletes all there is about an account, and leaves a mark by which others know that it is erased. The mark comes first, with
     * the end of all ways to the person, then the notifications in batches, and last that the event is handled: whatever stops it,
     * a repeat completes it.
     *
     * Guarantee: whatever is written at the same time is either deleted here or not written.
     */
    async erase(eventId: string, userId: string, at: Date): Promise<void> {
      await prisma.$transaction(async (tx) => {
        await lockAccount(tx, userId)
        await tx.$executeRaw`
          INSERT INTO erasures (user_id, erased_at) VALUES (${userId}::uuid, ${at}) ON CONFLICT DO NOTHING`
        await tx.preference.deleteMany({ where: { userId } })
        await tx.pushSubscription.deleteMany({ where: { userId } })
        await tx.deliveryCount.deleteMany({ where: { userId } })
        await tx.contact.deleteMany({ where: { userId } })
      })
      while ((await deleteNotifications(userId)) === erasureBatch);
      await recordInInbox(prisma, eventId)
    },
  }
}

/**
 * Keeps a contact unless a newer one is there, or the account is erased. The e-mail address whose place it takes, where that is
 * another one.
 */
async function putContact(tx: Prisma.TransactionClient, contact: Contact): Promise<string | undefined> {
  const { userId, name, email, locale, phone, sequence } = contact
  const [before] = await tx.$queryRaw<{ email: string }[]>`
    SELECT email FROM contacts WHERE user_id = ${userId}::uuid FOR UPDATE`
  const written = await tx.$executeRaw`
    INSERT INTO contacts (user_id, name, email, locale, phone, sequence)
    SELECT ${userId}::uuid, ${name}, ${email}, ${locale}, ${phone ?? null}, ${sequence}
    WHERE NOT EXISTS (SELECT FROM erasures WHERE user_id = ${userId}::uuid)
    ON CONFLICT (user_id) DO UPDATE
    SET name = EXCLUDED.name, email = EXCLUDED.email, locale = EXCLUDED.locale,
      phone = CASE WHEN ${phone === undefined} THEN contacts.phone ELSE EXCLUDED.phone END, sequence = EXCLUDED.sequence
    WHERE contacts.sequence < EXCLUDED.sequence`
  return written > 0 && before && before.email !== email ? before.email : undefined
}

/** What protects the account and is still to be mailed, recorded after `since`, goes to the address that it was recorded for. */
async function holdAddress(tx: Prisma.TransactionClient, userId: string, address: string, since: Date): Promise<void> {
  await tx.$executeRaw`
    UPDATE deliveries d SET address = ${address}
    FROM notifications n
    WHERE n.id = d.notification_id AND n.user_id = ${userId}::uuid AND n.type::text = ANY (${requiredTypes})
      AND n.created_at > ${since} AND d.channel = 'EMAIL' AND d.status = 'QUEUED' AND d.address IS NULL`
}

/** What is known of each of these accounts, by one statement: events are many. */
async function findAccounts(
  sql: Pick<Prisma.TransactionClient, '$queryRaw'>,
  userIds: readonly string[],
): Promise<Reachability[]> {
  const accounts = await sql.$queryRaw<(Reachability & { known: boolean; phone: string | null })[]>`
    SELECT c.user_id IS NOT NULL AS known, c.phone,
      ARRAY(SELECT id FROM push_subscriptions s WHERE s.user_id = a.id) AS subscriptions,
      ARRAY(SELECT jsonb_build_object('channel', channel, 'type', type, 'enabled', enabled)
            FROM preferences p WHERE p.user_id = a.id) AS preferences
    FROM unnest(${userIds}::uuid[]) WITH ORDINALITY AS a (id, place)
    LEFT JOIN contacts c ON c.user_id = a.id
    ORDER BY a.place`
  return accounts.map(({ known, phone, subscriptions, preferences }) => ({
    contact: known ? { phone } : undefined,
    subscriptions,
    preferences,
  }))
}

/** A notification that an event tells of. Without the event's id it is recorded by somebody else that it is handled. */
type Addition = Pick<Recording, 'unlessToldSince' | 'traceparent'> & { eventId?: string; notification: Notification }

/**
 * One statement for notifications with their deliveries and the marks of their events, each written where its event was not handled
 * before, its account is not erased, and was not told of the like too shortly before. Which of them were.
 *
 * Guarantee: no account gets more deliveries an hour over a channel than `mostAnHour`, whoever writes at the same time: who counts
 * holds the count until the end of the transaction.
 */
async function addAll(
  sql: Pick<Prisma.TransactionClient, '$queryRaw'>,
  additions: readonly Addition[],
): Promise<boolean[]> {
  const rows = additions.map(({ eventId = null, notification, unlessToldSince = null, traceparent = null }) => {
    const { deliveries, facts, ...row } = notification
    return { ...row, facts, type: facts.type, eventId, unlessToldSince, traceparent }
  })
  const deliveries = additions.flatMap(({ notification: { id, facts, deliveries } }) =>
    deliveries.map((delivery) => ({
      ...delivery,
      notificationId: id,
      // Null: as many as there are.
      most: requiredTypes.includes(facts.type) ? null : mostAnHour[delivery.channel],
    })),
  )
  const added = await sql.$queryRaw<{ id: string }[]>`
    WITH input AS (
      SELECT DISTINCT ON (coalesce("eventId", id)) *
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS n (id uuid, "eventId" uuid, "userId" uuid, type notification_type, facts jsonb, "orderId" uuid,
          "createdAt" timestamptz, "readAt" timestamptz, "unlessToldSince" timestamptz, traceparent text)
    ), handled AS (
      INSERT INTO inbox (event_id) SELECT "eventId" FROM input WHERE "eventId" IS NOT NULL
      ON CONFLICT DO NOTHING RETURNING event_id
    ), added AS (
      INSERT INTO notifications (id, user_id, type, facts, order_id, created_at, read_at, traceparent)
      SELECT id, "userId", type, facts, "orderId", "createdAt", "readAt", traceparent
      FROM input LEFT JOIN handled ON event_id = "eventId"
      WHERE ("eventId" IS NULL OR event_id IS NOT NULL) AND NOT is_erased("userId")
        AND ("unlessToldSince" IS NULL OR NOT EXISTS (
          SELECT FROM notifications told
          WHERE told.user_id = input."userId" AND told.type = input.type AND told.created_at > "unlessToldSince"
            AND (told.facts->>'at')::timestamptz > "unlessToldSince"))
      RETURNING id, user_id, created_at
    ), wanted AS (
      SELECT d.*, user_id, created_at, row_number() OVER (PARTITION BY user_id, channel, most ORDER BY created_at DESC, d.id) AS place
      FROM added JOIN jsonb_to_recordset(${JSON.stringify(deliveries)}::jsonb)
        AS d (id uuid, "notificationId" uuid, channel channel, "targetId" uuid, address text, status delivery_status, attempts int,
          "sentAt" timestamptz, most int) ON d."notificationId" = added.id
    ), counted AS (
      INSERT INTO delivery_counts AS known (user_id, channel, since, count)
      SELECT user_id, channel, min(created_at), count(*) FROM wanted WHERE most IS NOT NULL
      -- In one order, so that two statements cannot wait for each other.
      GROUP BY user_id, channel ORDER BY user_id, channel
      ON CONFLICT (user_id, channel) DO UPDATE SET
        since = CASE WHEN known.since > EXCLUDED.since - interval '1 hour' THEN known.since ELSE EXCLUDED.since END,
        count = CASE WHEN known.since > EXCLUDED.since - interval '1 hour' THEN known.count ELSE 0 END + EXCLUDED.count
      RETURNING user_id, channel, count
    ), sent AS (
      INSERT INTO deliveries (id, notification_id, channel, target_id, address, status, attempts, next_attempt_at, sent_at)
      SELECT id, "notificationId", channel, "targetId", address, status, attempts, created_at, "sentAt"
      FROM wanted LEFT JOIN counted USING (user_id, channel)
      -- The first place is the last one of those that were counted.
      WHERE most IS NULL OR count - place < most
    )
    SELECT id FROM added`
  const ids = new Set(added.map(({ id }) => id))
  return additions.map(({ notification }) => ids.has(notification.id))
}
