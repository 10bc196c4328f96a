import type { PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { PushSubscription } from '../domain/subscription.ts'
import { isErased, lockAccount } from './accounts.ts'

/** The browsers that take pushes. */
export function subscriptionStore(prisma: PrismaClient) {
  return {
    /**
     * Keeps a subscription: a browser that another account had is this one's from now on, and what was on its way to
     * the other account goes nowhere. Of more than `most` the oldest go. Undefined, and without effect, for an account that is erased.
     */
    putSubscription(subscription: PushSubscription, most: number): Promise<PushSubscription | undefined> {
      const { id, userId, endpoint, p256dh, auth, createdAt } = subscription
      return prisma.$transaction(async (tx) => {
        // One at a time, so that each counts those before it.
        await lockAccount(tx, userId)
        if (await isErased(tx, userId)) return undefined
        const kept = await tx.pushSubscription.upsert({
          where: { endpoint },
          create: { id, userId, endpoint, p256dh, auth, createdAt },
          update: { userId, p256dh, auth, createdAt },
        })
        await tx.$executeRaw`
          DELETE FROM push_subscriptions WHERE id IN (
            SELECT id FROM push_subscriptions WHERE user_id = ${userId}::uuid
            ORDER BY created_at DESC, id DESC OFFSET ${most})`
        return kept
      })
    },

    /** True when it was there. */
    async removeSubscription(userId: string, endpoint: string): Promise<boolean> {
      return (await prisma.pushSubscription.deleteMany({ where: { userId, endpoint } })).count > 0
    },

    /** Removes one that its push service knows no longer, unless the browser subscribed anew meanwhile. */
    async dropSubscription({ id, auth }: { id: string; auth: string }): Promise<void> {
      await prisma.pushSubscription.deleteMany({ where: { id, auth } })
    },
  }
}
