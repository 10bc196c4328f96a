import { Prisma, type PrismaClient } from '#generated/prisma/orders/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import type { NewEvent } from '#platform/outbox.ts'
import type { Order } from '../domain/order.ts'
import { requireOrder, type Transaction } from './changes.ts'
import { isErased } from './erasure.ts'
import { insertOrder } from './rows.ts'

/** A claim on an idempotency key, to be taken or found. */
export type ClaimRequest = {
  customerId: string
  idempotencyKey: string
  inputHash: string
  orderId: string
  token: string
  at: Date
  until: Date
  /** Orders of the customer that may wait to be paid. */
  mostUnpaid: number
}

/** The right to work on a claim. */
export type Lease = { customerId: string; idempotencyKey: string; orderId: string; token: string }

export type ClaimState =
  | { state: 'leased'; lease: Lease }
  | { state: 'busy' }
  | { state: 'other input' }
  | { state: 'account erased' }
  | { state: 'too many unpaid' }
  | { state: 'completed'; order: Order }

/** What became of an attempt to write an order. */
export type Placement = 'placed' | 'lease lost' | 'account erased' | 'too many unpaid' | 'number taken'

/** Claims on idempotency keys, and the orders that they become (docs/adr/0005-order-claim.md). */
export function claimStore(prisma: PrismaClient) {
  return {
    /**
     * Takes a key that is free or whose lease ran out, under the order id it has. None for an account that is erased, and no
     * free one for a customer of whom as many orders as may be wait to be paid.
     */
    async claim({
      customerId,
      idempotencyKey,
      inputHash,
      orderId,
      token,
      at,
      until,
      mostUnpaid,
    }: ClaimRequest): Promise<ClaimState> {
      const lease = { customerId, idempotencyKey, orderId, token }
      // The first request with a key, which most are, takes one statement.
      const added = await prisma.$executeRaw`
        INSERT INTO claims (customer_id, idempotency_key, input_hash, order_id, lease_token, lease_until)
        SELECT ${customerId}::uuid, ${idempotencyKey}, ${inputHash}, ${orderId}::uuid, ${token}::uuid, ${until}::timestamptz
        WHERE NOT is_erased(${customerId}::uuid) AND ${mayPlace(customerId, mostUnpaid)}
        ON CONFLICT (customer_id, idempotency_key) DO NOTHING`
      if (added > 0) return { state: 'leased', lease }
      return prisma.$transaction(async (tx): Promise<ClaimState> => {
        if (await isErased(tx, customerId)) return { state: 'account erased' }
        const claim = await lockClaim(tx, lease)
        if (!claim) {
          const [row] = await tx.$queryRaw<{ open: boolean }[]>`SELECT ${mayPlace(customerId, mostUnpaid)} AS open`
          // Or it was freed by its holder just now.
          return { state: row?.open ? 'busy' : 'too many unpaid' }
        }
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

    /**
     * Writes the order, its events and the completion of its claim: all three, or nothing and why. Looks for what waits to be
     * paid once more: any number of claims may have been given before the first of them became an order.
     */
    async place(order: Order, lease: Lease, events: readonly NewEvent[], mostUnpaid: number): Promise<Placement> {
      try {
        const completed = Prisma.sql`
          UPDATE claims SET completed_at = ${order.createdAt}
          WHERE customer_id = ${lease.customerId}::uuid AND idempotency_key = ${lease.idempotencyKey}
            AND order_id = ${lease.orderId}::uuid AND lease_token = ${lease.token}::uuid AND completed_at IS NULL
            AND ${mayPlace(lease.customerId, mostUnpaid)}`
        if ((await prisma.$executeRaw(insertOrder(order, events, completed))) > 0) return 'placed'
        // An erasure takes the claim away with the account, or waits for this to commit and then finds the order.
        if (await isErased(prisma, lease.customerId)) return 'account erased'
        return (await prisma.claim.count({ where: mine(lease) })) > 0 ? 'too many unpaid' : 'lease lost'
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
  }
}

/** Whether fewer orders of a customer wait to be paid than may. Of statements at the same time, none sees what the others place. */
function mayPlace(customerId: string, mostUnpaid: number): Prisma.Sql {
  return Prisma.sql`${mostUnpaid}::int > (SELECT count(*) FROM (
    SELECT FROM orders WHERE customer_id = ${customerId}::uuid AND status = 'PENDING' LIMIT ${mostUnpaid}::int) AS unpaid)`
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
