import type { Prisma } from '#generated/prisma/products/client.ts'
import type { OutboxEvent } from '#platform/outbox.ts'
import type { Product } from '../domain/catalogue.ts'

export type Transaction = Prisma.TransactionClient
export type NewEvent = Omit<OutboxEvent, 'sequence'>

export function toProduct({ priceAmount, priceCurrency, ...row }: Prisma.ProductGetPayload<object>): Product {
  return { ...row, price: { amount: priceAmount, currency: priceCurrency } }
}

type StockChange = { productId: string; delta: number }
export type Entry = { reason: 'INITIAL' | 'RESERVED' | 'RELEASED' | 'EXPIRED'; reference: string; at: Date }

/** The one place where stock changes: the product and its ledger, together. The products are locked in id order. */
export async function changeStock(
  tx: Transaction,
  changes: readonly StockChange[],
  { reason, reference, at }: Entry,
): Promise<void> {
  if (changes.length === 0) return
  const ids = changes.map(({ productId }) => productId)
  const deltas = changes.map(({ delta }) => delta)
  await tx.$executeRaw`
    WITH changes AS MATERIALIZED (
      SELECT c.id, c.delta FROM unnest(${ids}::uuid[], ${deltas}::int[]) AS c (id, delta)
      JOIN products p ON p.id = c.id ORDER BY p.id FOR UPDATE OF p
    ), changed AS (
      UPDATE products p SET available = p.available + c.delta FROM changes c WHERE p.id = c.id RETURNING p.id, c.delta
    )
    INSERT INTO stock_entries (product_id, delta, reason, reference, at)
    SELECT id, delta, ${reason}::stock_reason, ${reference}, ${at} FROM changed`
}
