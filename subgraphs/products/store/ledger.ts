import { Prisma } from '#generated/prisma/products/client.ts'
import { appendToOutbox, type NewEvent } from '#platform/outbox.ts'
import type { Reservable } from '../domain/reservation.ts'
import type { StockLevel, StockReason } from '../domain/stock.ts'
import type { Transaction } from './rows.ts'

/** By how much a product's stock changes: what is available, and what is held for orders. */
export type StockChange = { readonly productId: string; readonly delta: number; readonly held: number }

/** Why stock changes, what caused it, who did it and when. */
export type Entry = {
  readonly reason: StockReason
  readonly reference: string
  readonly actor: string
  readonly at: Date
}

/** What tells of new levels of stock. */
export type StockTeller = {
  /** Nothing is told of a change that leaves more than this. */
  readonly quietAbove: number
  /** The event that tells of a level, where there is something to tell. */
  of(level: StockLevel): NewEvent | undefined
}

export type LockedRow = Omit<Reservable, 'price'> & { amount: number; currency: string }

/**
 * Locks products in the order of their ids, so that no two changes wait for each other in a circle. What only refers to a
 * product, as entries of the ledger do, does not wait for this.
 */
export function lockedProducts(ids: readonly string[], condition: Prisma.Sql = Prisma.sql`true`): Prisma.Sql {
  return Prisma.sql`
    SELECT id, sku, name, price_amount AS amount, price_currency AS currency, available, archived_at AS "archivedAt"
    FROM products WHERE id = ANY(${ids}::uuid[]) AND ${condition} ORDER BY id FOR NO KEY UPDATE`
}

export async function lockProducts(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.$executeRaw(lockedProducts(ids))
}

export function toReservable({ amount, currency, ...row }: LockedRow): Reservable {
  return { ...row, price: { amount, currency } }
}

/**
 * Where stock changes, but for what most orders do (./at-once.ts): products, ledger and events, together. The products are
 * locked, or nothing of them changes.
 * `along` is an INSERT that takes part in the statement.
 */
export async function changeStock(
  tx: Transaction,
  changes: readonly StockChange[],
  { reason, reference, actor, at }: Entry,
  teller: StockTeller,
  along?: Prisma.Sql,
): Promise<void> {
  if (changes.length === 0) return
  const ids = changes.map(({ productId }) => productId)
  const deltas = changes.map(({ delta }) => delta)
  const helds = changes.map(({ held }) => held)
  const levels = await tx.$queryRaw<StockLevel[]>`
    WITH changes AS (
      SELECT * FROM unnest(${ids}::uuid[], ${deltas}::int[], ${helds}::int[]) AS c (id, delta, held)
    ), entries AS (
      INSERT INTO stock_entries (product_id, delta, held, reason, reference, actor, at)
      SELECT id, delta, held, ${reason}::stock_reason, ${reference}, ${actor}, ${at} FROM changes
    )${along ? Prisma.sql`, along AS (${along})` : Prisma.empty}
    UPDATE products p SET available = p.available + c.delta, stock_version = p.stock_version + 1
    FROM changes c WHERE p.id = c.id AND c.delta <> 0
    RETURNING p.id AS "productId", sku, name, p.available - c.delta AS before, p.available, stock_version AS "stockVersion",
      archived_at IS NOT NULL AS archived`
  const told = levels.flatMap((level) => {
    const event = teller.of(level)
    return event ? [{ ...event, sequence: level.stockVersion }] : []
  })
  await appendToOutbox(tx, told, at)
}
