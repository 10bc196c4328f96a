import type { Prisma, PrismaClient } from '#generated/prisma/orders/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Address, Order, OrderFilter } from '../domain/order.ts'
import { applyChange, type Decide } from './changes.ts'
import { eraseCustomer } from './erasure.ts'
import { toOrder, whole } from './rows.ts'

type Key = { createdAt: Date; id: string }
export type Listing = { filter: OrderFilter; limit: number; after: Key | undefined }

/** Orders that were placed. */
export function orderStore(prisma: PrismaClient) {
  return {
    /**
     * The orders that exist among the ids, of one customer where one is named. An order of another customer then costs
     * what one costs that never was, so that the time of an answer does not tell them apart.
     */
    async findOrders(ids: readonly string[], customerId?: string): Promise<Order[]> {
      const where = { id: { in: [...ids] }, ...(customerId && { customerId }) }
      const rows = await prisma.order.findMany({ where, ...whole })
      return rows.map(toOrder)
    },

    /** The orders of a filter, newest first, behind `after`. */
    async listOrders({ filter, limit, after }: Listing): Promise<Order[]> {
      const rows = await prisma.order.findMany({
        where: { AND: [conditions(filter), ...behind(after)] },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
        ...whole,
      })
      return rows.map(toOrder)
    },

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

    /**
     * Forgets a customer: `blank` changes the address of each of their orders, and nothing is placed for them again. May be
     * done again. Returns the ids of the orders that wait to be paid or shipped.
     */
    erase(customerId: string, at: Date, blank: (address: Address) => Address): Promise<string[]> {
      return prisma.$transaction(async (tx) => {
        await eraseCustomer(tx, customerId, at, blank)
        const open = await tx.order.findMany({
          where: { customerId, status: { in: ['PENDING', 'PAID'] } },
          select: { id: true },
        })
        return open.map(({ id }) => id)
      })
    },

    /** Records that an event is handled whose effects are each in a transaction of their own, and may be repeated. */
    async recordHandled(eventId: string): Promise<void> {
      await prisma.$transaction((tx) => recordInInbox(tx, eventId))
    },
  }
}

function conditions({ customerId, status, number, createdFrom, createdTo }: OrderFilter): Prisma.OrderWhereInput {
  return {
    ...(customerId && { customerId }),
    ...(status && { status }),
    ...(number && { number }),
    ...((createdFrom || createdTo) && {
      createdAt: { ...(createdFrom && { gte: storable(createdFrom) }), ...(createdTo && { lt: storable(createdTo) }) },
    }),
  }
}

/** The earliest time that the database knows. Nothing was placed before. */
const earliest = new Date('0001-01-01T00:00:00Z')

function storable(time: Date): Date {
  return time < earliest ? earliest : time
}

function behind(after: Key | undefined): Prisma.OrderWhereInput[] {
  if (!after) return []
  const { createdAt, id } = after
  return [{ createdAt: { lte: createdAt } }, { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: id } }] }]
}
