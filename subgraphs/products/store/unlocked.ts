import { Prisma, type PrismaClient } from '#generated/prisma/products/client.ts'
import { outboxInsert } from '#platform/outbox.ts'
import {
  type Decision,
  type Reservable,
  type ReservationItem,
  type ReservedLine,
  type Step,
  steps,
} from '../domain/reservation.ts'
import { eventsOf, type LockedRow, type StockChange, stockChange, type TellLevel, toReservable } from './ledger.ts'

/** What most orders do to the stock, each in one statement that holds its locks no longer than it takes. */

export type NewReservation = { orderId: string; itemsHash: string; expiresAt: Date; at: Date; actor: string }

type Request = {
  items: readonly ReservationItem[]
  decide: (products: Reservable[]) => ReservedLine[]
  tell: TellLevel
}

/**
 * Reserves without a transaction of several statements: reads the products, and writes what was decided where all of them still
 * are as they were read. Undefined where they are not, or there is a reservation of the order already; then nothing is written.
 */
export async function reserveUnlocked(
  prisma: PrismaClient,
  { orderId, itemsHash, expiresAt, at, actor }: NewReservation,
  { items, decide, tell }: Request,
): Promise<ReservedLine[] | undefined> {
  const ids = items.map(({ productId }) => productId)
  const products = await prisma.$queryRaw<(LockedRow & { version: string; stockVersion: number })[]>`
    SELECT id, sku, name, price_amount AS amount, price_currency AS currency, available, archived_at AS "archivedAt",
      xmin::text AS version, stock_version AS "stockVersion"
    FROM products WHERE id = ANY(${ids}::uuid[]) AND NOT EXISTS (SELECT FROM reservations WHERE order_id = ${orderId}::uuid)`
  if (products.length < items.length) return undefined
  const lines = decide(products.map(toReservable))
  const changes = changesOf('RESERVED', lines)
  const deltas = new Map(changes.map(({ productId, delta }) => [productId, delta]))
  const levels = products.map(({ id: productId, sku, name, available: before, stockVersion, archivedAt }) => {
    const available = before + (deltas.get(productId) ?? 0)
    return { productId, sku, name, before, available, stockVersion: stockVersion + 1, archived: archivedAt !== null }
  })
  const events = eventsOf(levels, tell)
  const told = Prisma.sql`, told AS (${outboxInsert(Prisma.sql, events, at, Prisma.sql`added`)})`
  const written = await prisma.$executeRaw`
    WITH locked AS (
      SELECT id, xmin::text AS version FROM products WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), same AS (
      SELECT FROM locked
      JOIN unnest(${products.map(({ id }) => id)}::uuid[], ${products.map(({ version }) => version)}::text[]) AS r (id, version)
        USING (id, version)
      HAVING count(*) = ${items.length}::int
    ), added AS (
      INSERT INTO reservations (order_id, items_hash, status, expires_at, created_at)
      SELECT ${orderId}::uuid, ${itemsHash}, 'HELD', ${expiresAt}::timestamptz, ${at}::timestamptz FROM same
      ON CONFLICT DO NOTHING RETURNING order_id
    ), lines AS (${insertLines(Prisma.sql`added`, lines)}),
    ${stockChange(changes, { reason: 'RESERVED', reference: orderId, actor, at }, Prisma.sql`, added`)}
    ${events.length === 0 ? Prisma.empty : told}
    SELECT ${events.length === 0 ? Prisma.sql`1` : Prisma.sql`pg_notify('outbox', '')`} FROM added`
  return written > 0 ? lines : undefined
}

/**
 * Does in one statement what is to be done with an order that is held, as most are, where that leaves alone what is available.
 * False where it does not, or the order is not held; then nothing is written.
 */
export async function changeHeld(
  prisma: PrismaClient,
  orderId: string,
  decide: Decision,
  { actor, at }: { actor: string; at: Date },
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
    FROM changed JOIN reservation_lines USING (order_id) ORDER BY product_id`
  return written > 0
}

export function insertLines(reservation: Prisma.Sql, lines: readonly ReservedLine[]): Prisma.Sql {
  const rows = lines.map(({ unitPrice, ...line }, position) => ({ ...line, ...unitPrice, position }))
  return Prisma.sql`
    INSERT INTO reservation_lines (order_id, position, product_id, sku, name, unit_amount, currency, quantity)
    SELECT order_id, position, "productId", sku, name, amount, currency, quantity
    FROM ${reservation}, jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      AS r (position int, "productId" uuid, sku text, name text, amount int, currency text, quantity int)`
}

export function changesOf(step: Step | 'RESERVED', items: readonly ReservationItem[]): StockChange[] {
  const { available, held } = steps[step]
  return items.map(({ productId, quantity }) => ({
    productId,
    delta: available * quantity,
    held: held * quantity,
  }))
}
