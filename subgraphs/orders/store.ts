import { type Prisma, PrismaClient } from '#generated/prisma/orders/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import type { Database } from '#platform/database/open.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { appendToOutbox } from '#platform/outbox.ts'
import type { Address, Order, OrderStatus } from './domain/order.ts'
import { eraseCustomer, isErased, keepErasureWaiting } from './store/erasure.ts'
import { type NewEvent, numbered, toOrder, toRow, whole } from './store/rows.ts'

type Transaction = Prisma.TransactionClient

/** A claim on an idempotency key, to be taken or found. */
export type ClaimRequest = {
  customerId: string
  idempotencyKey: string
  inputHash: string
  orderId: string
  token: string
  at: Date
  until: Date
}

/** The right to work on a claim. */
export type Lease = { customerId: string; idempotencyKey: string; orderId: string; token: string }

export type ClaimState =
  | { state: 'leased'; lease: Lease }
  | { state: 'busy' }
  | { state: 'other input' }
  | { state: 'account erased' }
  | { state: 'completed'; order: Order }

/** What a change makes of an order. */
export type Change = { order: Order; events: readonly NewEvent[] }

/** What became of an attempt to write an order. */
export type Placement = 'placed' | 'lease lost' | 'account erased' | 'number taken'

export function createOrdersStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })

  return {
    /**
     * The orders that exist among the ids, of one customer where one is named. An order of another customer then costs
     * what one costs that never was, so that the time of an answer does not tell them apart.
     */
    async findOrders(ids: readonly string[], customerId?: string): Promise<Order[]> {
      const where = { id: { in: [...ids] }, ...(customerId && { customerId }) }
      const rows = await prisma.order.findMany({ where, include: whole })
      return rows.map(toOrder)
    },

    /** A customer's orders, newest first, behind `after`. */
    async listOrders({ customerId, status, limit, after }: Listing): Promise<Order[]> {
      const rows = await prisma.order.findMany({
        where: {
          customerId,
          ...(status && { status }),
          ...(after && {
            OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }],
          }),
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
        include: whole,
      })
      return rows.map(toOrder)
    },

    /** Takes a key that is free or whose lease ran out, under the order id it has. None for an account that is erased. */
    claim({ customerId, idempotencyKey, inputHash, orderId, token, at, until }: ClaimRequest): Promise<ClaimState> {
      return prisma.$transaction(async (tx): Promise<ClaimState> => {
        await keepErasureWaiting(tx, customerId)
        const added = await tx.$executeRaw`
          INSERT INTO claims (customer_id, idempotency_key, input_hash, order_id, lease_token, lease_until)
          SELECT ${customerId}::uuid, ${idempotencyKey}, ${inputHash}, ${orderId}::uuid, ${token}::uuid, ${until}::timestamptz
          WHERE NOT EXISTS (SELECT FROM erasures WHERE customer_id = ${customerId}::uuid)
          ON CONFLICT (customer_id, idempotency_key) DO NOTHING`
        const lease = { customerId, idempotencyKey, orderId, token }
        if (added > 0) return { state: 'leased', lease }
        if (await isErased(tx, customerId)) return { state: 'account erased' }
        const claim = await lockClaim(tx, lease)
        // Freed by its holder just now.
        if (!claim) return { state: 'busy' }
        if (claim.inputHash !== inputHash) return { state: 'other input' }
        if (claim.completedAt) return { state: 'completed', order: await requireOrder(tx, claim.orderId) }
        if (claim.leaseUntil > at) return { state: 'busy' }
        await tx.claim.update({ where: byKey(lease), data: { leaseToken: token, leaseUntil: until } })
        return { state: 'leased', lease: { ...lease, orderId: claim.orderId } }
      })
    },

    /** Goes on under another order id. Undefined when the lease is lost. */
    async renew(lease: Lease, orderId: string): Promise<Lease | undefined> {
      const { count } = await prisma.claim.updateMany({ where: mine(lease), data: { orderId } })
      return count > 0 ? { ...lease, orderId } : undefined
    },

    /** Writes the order, its events and the completion of its claim: all three, or nothing and why. */
    async place(order: Order, lease: Lease, events: readonly NewEvent[]): Promise<Placement> {
      try {
        return await prisma.$transaction(async (tx): Promise<Placement> => {
          const { count } = await tx.claim.updateMany({ where: mine(lease), data: { completedAt: order.createdAt } })
          // An erasure takes the claim away with the account, or waits for this to commit and then finds the order.
          if (count === 0) return (await isErased(tx, lease.customerId)) ? 'account erased' : 'lease lost'
          await tx.order.create({ data: toRow(order, events.length), select: { id: true } })
          await appendToOutbox(tx, numbered(events, 0), order.updatedAt)
          return 'placed'
        })
      } catch (error) {
        if (isUniqueViolation(error, 'orders_number_key')) return 'number taken'
        throw error
      }
    },

    /**
     * Gives up a claim. Waits for a transaction of ours whose commit is unclear, and finds out: `completed` when it took
     * place after all, `lost` when someone else works on the claim, `freed` when nobody does: the key may be claimed anew,
     * and no order will ever be placed under its order id.
     */
    free(lease: Lease): Promise<{ state: 'freed' } | { state: 'lost' } | { state: 'completed'; order: Order }> {
      return prisma.$transaction(async (tx) => {
        const claim = await lockClaim(tx, lease)
        if (!claim) return { state: 'freed' as const }
        if (claim.leaseToken !== lease.token) return { state: 'lost' as const }
        if (claim.completedAt) return { state: 'completed' as const, order: await requireOrder(tx, claim.orderId) }
        await tx.claim.delete({ where: byKey(lease) })
        return { state: 'freed' as const }
      })
    },

    /** Ends the wait for an order whose hold has ended: the order changes, or the claim that would place it goes. Once. */
    async expire(eventId: string, orderId: string, change: (order: Order) => Change | undefined): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        // Waits for a transaction that places the order; without its claim a later one has no effect.
        await tx.claim.deleteMany({ where: { orderId, completedAt: null } })
        await applyChange(tx, orderId, change)
      })
    },

    /** Forgets a customer: `blank` changes the address of each of their orders, and nothing is placed for them again. Once. */
    async erase(eventId: string, customerId: string, at: Date, blank: (address: Address) => Address): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (await recordInInbox(tx, eventId)) await eraseCustomer(tx, customerId, at, blank)
      })
    },

    close: () => prisma.$disconnect(),
  }
}

export type OrdersStore = ReturnType<typeof createOrdersStore>
type Listing = {
  customerId: string
  status: OrderStatus | undefined
  limit: number
  after: { createdAt: Date; id: string } | undefined
}

/** Locks an order, lets `change` decide, and writes the order and its events together. Nothing for one that is not there. */
async function applyChange(
  tx: Transaction,
  orderId: string,
  change: (order: Order) => Change | undefined,
): Promise<void> {
  const [locked] = await tx.$queryRaw<{ sequence: number }[]>`
    SELECT sequence FROM orders WHERE id = ${orderId}::uuid FOR UPDATE`
  if (!locked) return
  const before = await requireOrder(tx, orderId)
  const changed = change(before)
  if (!changed) return
  const { order, events } = changed
  const transitions = order.history.map((entry, position) => ({ ...entry, position })).slice(before.history.length)
  await tx.order.update({
    where: { id: orderId },
    data: {
      status: order.status,
      cancelReason: order.cancelReason,
      updatedAt: order.updatedAt,
      sequence: locked.sequence + events.length,
      history: { createMany: { data: transitions } },
    },
  })
  await appendToOutbox(tx, numbered(events, locked.sequence), order.updatedAt)
}

async function requireOrder(tx: Transaction, id: string): Promise<Order> {
  return toOrder(await tx.order.findUniqueOrThrow({ where: { id }, include: whole }))
}

async function lockClaim(tx: Transaction, lease: Lease) {
  await tx.$queryRaw`
    SELECT FROM claims WHERE customer_id = ${lease.customerId}::uuid AND idempotency_key = ${lease.idempotencyKey} FOR UPDATE`
  return tx.claim.findUnique({ where: byKey(lease) })
}

function byKey({ customerId, idempotencyKey }: Lease) {
  return { customerId_idempotencyKey: { customerId, idempotencyKey } }
}

function mine({ customerId, idempotencyKey, token, orderId }: Lease) {
  return { customerId, idempotencyKey, orderId, leaseToken: token, completedAt: null }
}
