import type { PrismaClient } from '#generated/prisma/orders/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Order } from '../domain/order.ts'
import { applyChange, type Decide } from './changes.ts'
import { orderReads } from './reading.ts'

/** Orders that were placed. */
export function orderStore(prisma: PrismaClient) {
  return {
    ...orderReads(prisma),

    /** Changes an order. Returns it as it is then; undefined where there is none. What `decide` throws leaves it as it was. */
    changeOrder: (orderId: string, decide: Decide): Promise<Order | undefined> => applyChange(prisma, orderId, decide),

    /** Changes an order because of an event, once. False where there is no such order: then the event is not recorded either. */
    handle: async (eventId: string, orderId: string, decide: Decide): Promise<boolean> =>
      (await applyChange(prisma, orderId, decide, eventId)) !== undefined,

    /** Ends the wait for an order whose hold has ended: the order changes, or the claim that would place it goes. Once. */
    async expire(eventId: string, orderId: string, decide: Decide): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        // Waits for a transaction that places the order; without its claim a later one has no effect.
        await tx.claim.deleteMany({ where: { orderId, completedAt: null } })
        await applyChange(tx, orderId, decide)
      })
    },
  }
}
