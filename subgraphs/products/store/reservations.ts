import { Prisma, type PrismaClient } from '#generated/prisma/products/client.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { appendToOutbox, type NewEvent } from '#platform/outbox.ts'
import {
  type Decision,
  type Reservable,
  type Reservation,
  type ReservationItem,
  type ReservationStatus,
  type ReservedLine,
  type Step,
  steps,
} from '../domain/reservation.ts'
import { changeHeldAtOnce, type NewReservation, notReserved, reserveAtOnce } from './at-once.ts'
import {
  changeStock,
  type Entry,
  type LockedRow,
  lockedProducts,
  lockProducts,
  type StockChange,
  type StockTeller,
  toReservable,
} from './ledger.ts'
import type { Transaction } from './rows.ts'

type Change = { at: Date; actor: string; teller: StockTeller; eventId?: string }
type Expiry = Omit<Change, 'eventId'> & {
  limit: number
  /** Leaves alone what is held for longer. */
  heldSince: Date
  ended: (orderId: string) => NewEvent
}

/**
 * What is held for orders. A reservation that is there is locked before its products, and written after they are locked; one
 * that is new comes after them: who adds it waits for nobody who waits for them.
 */
export function reservationStore(prisma: PrismaClient) {
  return {
    /**
     * Writes a reservation with the lines that `decide` makes of the products it asks for, and takes them off the stock.
     * `existing` is what was there for the order before; then nothing is written.
     */
    async reserve(
      reservation: NewReservation,
      items: readonly ReservationItem[],
      decide: (products: Reservable[]) => ReservedLine[],
      teller: StockTeller,
    ): Promise<{ lines: ReservedLine[]; existing?: Reservation }> {
      const { orderId, actor, at } = reservation
      const reserved = await reserveAtOnce(prisma, reservation, items, teller.quietAbove)
      if (reserved) return { lines: decide(reserved) }
      return prisma.$transaction(async (tx) => {
        const products = await beginReservation(tx, reservation, items)
        if (!products) {
          const row = await tx.reservation.findUniqueOrThrow({
            where: { orderId },
            include: { lines: { orderBy: { position: 'asc' } } },
          })
          return { lines: [], existing: { ...row, lines: row.lines.map(toLine) } }
        }
        const lines = decide(products)
        const entry = { reason: 'RESERVED', reference: orderId, actor, at } as const
        await changeStock(tx, changesOf('RESERVED', lines), entry, teller, insertLines(orderId, lines))
        return { lines }
      })
    },

    /**
     * Locks the reservation of an order, lets `decide` say what becomes of it, and does that. Of two changes at once one comes
     * first, and the other one decides anew. With an event's id it happens once for that event.
     */
    async changeReservation(orderId: string, decide: Decision, { eventId, ...change }: Change): Promise<void> {
      if (eventId === undefined && (await changeHeldAtOnce(prisma, orderId, decide, change))) return
      await prisma.$transaction(async (tx) => {
        if (eventId !== undefined && !(await recordInInbox(tx, eventId))) return
        let step = decide(await lockReservation(tx, orderId))
        if (step === 'mark') {
          const added = await tx.$executeRaw`
            INSERT INTO reservations (order_id, status, expires_at, created_at)
            VALUES (${orderId}::uuid, 'RELEASED', ${change.at}, ${change.at}) ON CONFLICT DO NOTHING`
          if (added > 0) return
          // Somebody has reserved meanwhile.
          step = decide(await lockReservation(tx, orderId))
        }
        if (step === undefined || step === 'mark') return
        await move(tx, step, [orderId], change)
      })
    },

    /** Ends up to `limit` holds that are overdue. Several instances may do so at once. Returns how many it ended. */
    async expire({ limit, heldSince, ended, ...change }: Expiry): Promise<number> {
      return prisma.$transaction(async (tx) => {
        const rows = await tx.$queryRaw<{ order_id: string }[]>`
          SELECT order_id FROM reservations
          WHERE status = 'HELD' AND expires_at <= ${change.at} AND created_at >= ${heldSince}
          ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`
        const orderIds = rows.map(({ order_id }) => order_id)
        if (orderIds.length === 0) return 0
        await move(tx, 'EXPIRED', orderIds, change)
        const told = orderIds.map((orderId) => ({ ...ended(orderId), sequence: 1 }))
        await appendToOutbox(tx, told, change.at)
        return orderIds.length
      })
    },
  }
}

/**
 * Locks the products that a reservation asks for, and then adds it. Undefined when there is one of the order already: a twin waits
 * here, and a release that came before has left its mark.
 */
async function beginReservation(
  tx: Transaction,
  { orderId, itemsHash, expiresAt, at }: NewReservation,
  items: readonly ReservationItem[],
): Promise<Reservable[] | undefined> {
  const ids = items.map(({ productId }) => productId)
  const rows = await tx.$queryRaw<(LockedRow | { id: null })[]>`
    WITH locked AS (${lockedProducts(ids, notReserved(orderId))}), added AS (
      INSERT INTO reservations (order_id, items_hash, status, expires_at, created_at)
      SELECT ${orderId}::uuid, ${itemsHash}, 'HELD', ${expiresAt}::timestamptz, ${at}::timestamptz
      FROM (SELECT count(*) FROM locked) AS after ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT locked.* FROM added LEFT JOIN locked ON true`
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null).map(toReservable)
}

function insertLines(orderId: string, lines: readonly ReservedLine[]): Prisma.Sql {
  const rows = lines.map(({ unitPrice, ...line }, position) => ({ ...line, ...unitPrice, position }))
  return Prisma.sql`
    INSERT INTO reservation_lines (order_id, position, product_id, sku, name, unit_amount, currency, quantity)
    SELECT ${orderId}::uuid, position, "productId", sku, name, amount, currency, quantity
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      AS r (position int, "productId" uuid, sku text, name text, amount int, currency text, quantity int)`
}

async function lockReservation(tx: Transaction, orderId: string): Promise<ReservationStatus | undefined> {
  const [row] = await tx.$queryRaw<{ status: ReservationStatus }[]>`
    SELECT status FROM reservations WHERE order_id = ${orderId}::uuid FOR UPDATE`
  return row?.status
}

/**
 * Does a step of reservations that are locked, and to the stock what it means. All products are locked at once, in one order
 * whatever the orders are.
 */
async function move(
  tx: Transaction,
  step: Step,
  orderIds: readonly string[],
  { teller, at, actor }: Omit<Entry, 'reason' | 'reference'> & { teller: StockTeller },
): Promise<void> {
  const lines = await linesOf(tx, orderIds)
  if (steps[step].available !== 0) {
    const ids = new Set([...lines.values()].flat().map(({ productId }) => productId))
    await lockProducts(tx, [...ids])
  }
  await tx.reservation.updateMany({ where: { orderId: { in: [...orderIds] } }, data: { status: steps[step].to } })
  for (const [reference, items] of lines) {
    await changeStock(tx, changesOf(step, items), { reason: step, reference, actor, at }, teller)
  }
}

function changesOf(step: Step | 'RESERVED', items: readonly ReservationItem[]): StockChange[] {
  const { available, held } = steps[step]
  return items.map(({ productId, quantity }) => ({
    productId,
    delta: available * quantity,
    held: held * quantity,
  }))
}

async function linesOf(tx: Transaction, orderIds: readonly string[]): Promise<Map<string, ReservationItem[]>> {
  const lines = await tx.reservationLine.findMany({
    where: { orderId: { in: [...orderIds] } },
    select: { orderId: true, productId: true, quantity: true },
  })
  return Map.groupBy(lines, ({ orderId }) => orderId)
}

function toLine({
  productId,
  sku,
  name,
  unitAmount,
  currency,
  quantity,
}: Prisma.ReservationLineGetPayload<object>): ReservedLine {
  return { productId, sku, name, unitPrice: { amount: unitAmount, currency }, quantity }
}
