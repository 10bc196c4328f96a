import type { PrismaClient } from '#generated/prisma/products/client.ts'
import { notFound, ServiceError } from '#platform/errors.ts'
import type { Adjustment } from '../domain/stock.ts'
import { changeStock, type StockTeller } from './ledger.ts'

type NewAdjustment = Adjustment & { id: string; actor: string; at: Date }

/** A product whose stock is not what the ledger and the reservations say. */
export type StockDifference = {
  readonly productId: string
  readonly available: number
  /** The same by the ledger. */
  readonly entered: number
  /** Held by the ledger, and by the reservations that are open. */
  readonly held: number
  readonly reserved: number
}

/** What is in stock, corrected by people, and its proof. */
export function stockStore(prisma: PrismaClient) {
  return {
    /** A number greater than all before: whoever changes stock with a smaller one than was used already is too late. */
    async nextStockFence(): Promise<number> {
      const [row] = await prisma.$queryRaw<{ token: number }[]>`SELECT nextval('stock_fences')::float8 AS token`
      if (!row) throw new Error('A sequence has no next value.')
      return row.token
    },

    /**
     * Changes the stock of a product unless `decide` throws. Returns what was asked for under the same key before; then
     * nothing is written. Throws NOT_FOUND, and IN_PROGRESS for a fencing token that is smaller than one that was used:
     * whoever has it held the lock too long ago.
     */
    async adjustStock(
      { id, actor, idempotencyKey, productId, delta, note, at }: NewAdjustment,
      { fence, decide, teller }: { fence: number; decide: (available: number) => void; teller: StockTeller },
    ): Promise<Adjustment | undefined> {
      return prisma.$transaction(async (tx) => {
        // A twin waits here.
        const added = await tx.$executeRaw`
          INSERT INTO stock_adjustments (id, actor, idempotency_key, product_id, delta, note, at)
          VALUES (${id}::uuid, ${actor}, ${idempotencyKey}, ${productId}::uuid, ${delta}, ${note}, ${at})
          ON CONFLICT (actor, idempotency_key) DO NOTHING`
        if (added === 0) {
          return tx.stockAdjustment.findUniqueOrThrow({
            where: { actor_idempotencyKey: { actor, idempotencyKey } },
            select: { productId: true, delta: true, note: true, idempotencyKey: true },
          })
        }
        const [product] = await tx.$queryRaw<{ available: number }[]>`
          UPDATE products SET stock_fence = ${fence}::bigint WHERE id = ${productId}::uuid AND stock_fence < ${fence}::bigint
          RETURNING available`
        if (!product) throw await refusal(tx.product.findUnique({ where: { id: productId }, select: { id: true } }))
        decide(product.available)
        const entry = { reason: 'ADJUSTED', reference: id, actor, at } as const
        await changeStock(tx, [{ productId, delta, held: 0 }], entry, teller)
        return undefined
      })
    },

    /**
     * The products whose stock is not the sum of their ledger, or of which other quantities are held than the open
     * reservations have. There are none, ever. Reads all of the ledger, at one moment.
     */
    findStockDifferences: (): Promise<StockDifference[]> => prisma.$queryRaw`
      SELECT p.id AS "productId", p.available, coalesce(l.delta, 0)::int AS entered, coalesce(l.held, 0)::int AS held,
        coalesce(r.quantity, 0)::int AS reserved
      FROM products p
      LEFT JOIN (SELECT product_id, sum(delta) AS delta, sum(held) AS held FROM stock_entries GROUP BY 1) l
        ON l.product_id = p.id
      LEFT JOIN (
        SELECT product_id, sum(quantity) AS quantity FROM reservation_lines JOIN reservations USING (order_id)
        WHERE status = 'HELD' GROUP BY 1
      ) r ON r.product_id = p.id
      WHERE p.available <> coalesce(l.delta, 0) OR coalesce(l.held, 0) <> coalesce(r.quantity, 0)
      ORDER BY p.id`,
  }
}

async function refusal(product: Promise<object | null>): Promise<ServiceError> {
  if (!(await product)) return notFound('product')
  return new ServiceError('IN_PROGRESS', 'The stock of this product has been changed meanwhile. Try again.', {
    retryAfter: 1,
  })
}
