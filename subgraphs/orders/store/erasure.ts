import type { Prisma, PrismaClient } from '#generated/prisma/orders/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import type { Address } from '../domain/order.ts'
import { applyChange, type Decide } from './changes.ts'
import { addressColumns, toAddress, toAddressColumns } from './rows.ts'

export type ErasureOptions = {
  /** Claims, or orders, that one transaction of an erasure changes. Default 1000: a customer may have any number of them. */
  erasureBatch?: number
}

/** What an erasure makes of each order of the customer. */
export type Blanking = {
  readonly blank: (address: Address) => Address
  /** Ends an order that waits to be paid or shipped. */
  readonly end: Decide
}

/** The advisory locks by which claims of a customer and their erasure take turns: those of `is_erased`, too. */
const customerLocks = 7_340_021

/**
 * Whether a customer is erased. Lets an erasure wait for the end of the transaction, after waiting for one that is under way;
 * the next statement sees what it did.
 */
export async function isErased(sql: Pick<Prisma.TransactionClient, '$queryRaw'>, customerId: string): Promise<boolean> {
  const [row] = await sql.$queryRaw<{ erased: boolean }[]>`SELECT is_erased(${customerId}::uuid) AS erased`
  return row?.erased ?? false
}

type ClaimKey = { idempotencyKey: string }
type OrderKey = { createdAt: Date; id: string }

export function erasureStore(prisma: PrismaClient, { erasureBatch = 1_000 }: ErasureOptions = {}) {
  /** Stops new claims, and waits for those that are being given. */
  function mark(customerId: string, at: Date): Promise<unknown> {
    return prisma.$transaction(async (tx) => {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(${customerLocks}::int, hashtext(${customerId}::uuid::text))`
      await tx.$executeRaw`
        INSERT INTO erasures (customer_id, erased_at) VALUES (${customerId}::uuid, ${at}) ON CONFLICT DO NOTHING`
    })
  }

  function findClaims(customerId: string, after: ClaimKey | undefined) {
    return prisma.claim.findMany({
      where: { customerId, ...(after && { idempotencyKey: { gt: after.idempotencyKey } }) },
      orderBy: { idempotencyKey: 'asc' },
      take: erasureBatch,
      select: { idempotencyKey: true },
    })
  }

  async function eraseClaims(customerId: string, claims: readonly ClaimKey[]): Promise<void> {
    const these = { customerId, idempotencyKey: { in: claims.map(({ idempotencyKey }) => idempotencyKey) } }
    // Waits for transactions that place orders; without its claim a later one has no effect.
    await prisma.claim.deleteMany({ where: { ...these, completedAt: null } })
    // The others tell that their orders are there. The address is part of what was hashed.
    await prisma.claim.updateMany({ where: these, data: { inputHash: '' } })
  }

  function findOrders(customerId: string, after: OrderKey | undefined) {
    const further = after && {
      createdAt: { lte: after.createdAt },
      OR: [{ createdAt: { lt: after.createdAt } }, { id: { lt: after.id } }],
    }
    return prisma.order.findMany({
      where: { customerId, ...further },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: erasureBatch,
      select: { id: true, createdAt: true, status: true, ...addressColumns },
    })
  }

  async function blankOrders(orders: Awaited<ReturnType<typeof findOrders>>, blank: Blanking['blank']): Promise<void> {
    const blanked = orders.map(({ id, ...columns }) => ({ id, ...toAddressColumns(blank(toAddress(columns))) }))
    await prisma.$executeRaw`
      UPDATE orders SET ship_name = "shipName", ship_line1 = "shipLine1", ship_line2 = "shipLine2", ship_city = "shipCity",
        ship_region = "shipRegion", ship_postal_code = "shipPostalCode", ship_country = "shipCountry"
      FROM jsonb_to_recordset(${JSON.stringify(blanked)}::jsonb) AS blanked (id uuid, "shipName" text, "shipLine1" text,
        "shipLine2" text, "shipCity" text, "shipRegion" text, "shipPostalCode" text, "shipCountry" text)
      WHERE orders.id = blanked.id`
  }

  return {
    /**
     * Takes from a customer what is personal, and leaves a mark by which no claim is given to them again. The mark comes first,
     * then the claims in batches, of which none then places an order any more, then the orders in batches, the newest first, each
     * with the end of what waits to be paid or shipped, and last that the event is handled: whatever stops it, a repeat completes it.
     *
     * Guarantee: an order that is being placed at the same time is blanked too, or is not placed. Its claim was either given
     * before, and is then completed or taken away here, or is refused by the mark.
     */
    async erase(eventId: string, customerId: string, at: Date, { blank, end }: Blanking): Promise<void> {
      await mark(customerId, at)
      for await (const claims of batches((after: ClaimKey | undefined) => findClaims(customerId, after)))
        await eraseClaims(customerId, claims)
      for await (const orders of batches((after: OrderKey | undefined) => findOrders(customerId, after))) {
        await blankOrders(orders, blank)
        for (const { id, status } of orders) {
          if (status === 'PENDING' || status === 'PAID') await applyChange(prisma, id, end)
        }
      }
      await recordInInbox(prisma, eventId)
    },
  }
}

/** All rows there are, a batch after the other. */
async function* batches<Row>(find: (after: Row | undefined) => Promise<Row[]>): AsyncGenerator<Row[]> {
  for (let rows = await find(undefined); rows.length > 0; rows = await find(rows.at(-1))) yield rows
}
