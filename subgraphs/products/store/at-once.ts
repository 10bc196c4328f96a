import { Prisma, type PrismaClient } from '#generated/prisma/products/client.ts'
import { type Decision, type Reservable, type ReservationItem, steps } from '../domain/reservation.ts'
import { type Entry, type LockedRow, lockedProducts, toReservable } from './ledger.ts'

/** What most orders do to the stock, each in one statement that holds its locks no longer than it takes. */

export type NewReservation = { orderId: string; itemsHash: string; expiresAt: Date; at: Date; actor: string }

/**
 * Reserves where there is plenty: of each product more than `quietAbove` is left, so that there is nothing to tell of it. Returns the
 * products as they were. Undefined where one is scarce, archived or not there, or there is a reservation of the order already;
 * then nothing is written.
 */
export async function reserveAtOnce(
  prisma: PrismaClient,
  { orderId, itemsHash, expiresAt, at, actor }: NewReservation,
  items: readonly ReservationItem[],
  quietAbove: number,
): Promise<Reservable[] | undefined> {
  const { to, available, held } = steps.RESERVED
  const ids = items.map(({ productId }) => productId)
  const quantities = items.map(({ quantity }) => quantity)
  // Stock is set by the row that was locked: PostgreSQL checks constraints first by the row as the statement began to see it.
  const rows = await prisma.$queryRaw<LockedRow[]>`
    WITH items AS (
      SELECT * FROM unnest(${ids}::uuid[], ${quantities}::int[]) WITH ORDINALITY AS i (id, quantity, number)
    ), locked AS (${lockedProducts(ids, notReserved(orderId))}), plenty AS (
      SELECT FROM locked JOIN items USING (id)
      WHERE "archivedAt" IS NULL AND available + ${available}::int * quantity > ${quietAbove}::int
      HAVING count(*) = ${items.length}::int
    ), added AS (
      INSERT INTO reservations (order_id, items_hash, status, expires_at, created_at)
      SELECT ${orderId}::uuid, ${itemsHash}, ${to}::reservation_status, ${expiresAt}::timestamptz, ${at}::timestamptz FROM plenty
      ON CONFLICT DO NOTHING RETURNING order_id
    ), lines AS (
      INSERT INTO reservation_lines (order_id, position, product_id, sku, name, unit_amount, currency, quantity)
      SELECT order_id, number - 1, id, sku, name, amount, currency, quantity FROM added, items JOIN locked USING (id)
    ), entries AS (
      INSERT INTO stock_entries (product_id, delta, held, reason, reference, actor, at)
      SELECT id, ${available}::int * quantity, ${held}::int * quantity, 'RESERVED', ${orderId}, ${actor}, ${at}::timestamptz
      FROM added, items
    ), changed AS (
      UPDATE products p SET available = locked.available + ${available}::int * quantity, stock_version = p.stock_version + 1
      FROM added, items JOIN locked USING (id) WHERE p.id = items.id
    )
    SELECT locked.* FROM locked, added`
  return rows.length > 0 ? rows.map(toReservable) : undefined
}

/** That there was no reservation of an order as the statement began: a repeat keeps nobody from its products. */
export function notReserved(orderId: string): Prisma.Sql {
  return Prisma.sql`NOT EXISTS (SELECT FROM reservations WHERE order_id = ${orderId}::uuid)`
}

/**
 * Does what is to be done with an order that is held, as most are, where that leaves alone what is available. False where it does
 * not, or the order is not held; then nothing is written.
 */
export async function changeHeldAtOnce(
  prisma: PrismaClient,
  orderId: string,
  decide: Decision,
  { actor, at }: Pick<Entry, 'actor' | 'at'>,
): Promise<boolean> {
  const step = decide('HELD')
  if (step === undefined || step === 'mark' || steps[step].available !== 0) return false
  const { to, held } = steps[step]
  const written = await prisma.$executeRaw`
    WITH changed AS (
      UPDATE reservations SET status = ${to}::reservation_status WHERE order_id = ${orderId}::uuid AND status = 'HELD'
      RETURNING order_id
    )
    INSERT INTO stock_entries (product_id, delta, held, reason, reference, actor, at)
    SELECT product_id, 0, ${held}::int * quantity, ${step}::stock_reason, ${orderId}, ${actor}, ${at}::timestamptz
    FROM changed JOIN reservation_lines USING (order_id)`
  return written > 0
}
