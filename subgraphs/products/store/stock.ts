import type { Prisma, PrismaClient } from '#generated/prisma/products/client.ts'
import { appendToOutbox } from '#platform/outbox.ts'
import type { Reservation, ReservationItem, ReservedLine, StockedProduct } from '../domain/stock.ts'
import type { NewEvent, Transaction } from './rows.ts'

type NewReservation = { orderId: string; itemsHash: string; expiresAt: Date; at: Date }

/** What is held for orders, and the ledger of the stock. */
export function stockStore(prisma: PrismaClient) {
  return {
    /**
     * Writes a reservation with the lines that `decide` makes of the products it asks for, and takes them off the stock.
     * `existing` is what was there for the order before; then nothing is written. Products are locked in the order of
     * their ids, so that two reservations never wait for each other.
     */
    async reserve(
      { orderId, itemsHash, expiresAt, at }: NewReservation,
      items: readonly ReservationItem[],
      decide: (products: StockedProduct[]) => ReservedLine[],
    ): Promise<{ lines: ReservedLine[]; existing?: Reservation }> {
      return prisma.$transaction(async (tx) => {
        // The row comes first: a twin waits here, and a release that came before has left its mark here.
        const added = await tx.$executeRaw`
          INSERT INTO reservations (order_id, items_hash, status, expires_at, created_at)
          VALUES (${orderId}::uuid, ${itemsHash}, 'HELD', ${expiresAt}, ${at}) ON CONFLICT DO NOTHING`
        if (added === 0) {
          const row = await tx.reservation.findUniqueOrThrow({
            where: { orderId },
            include: { lines: { orderBy: { position: 'asc' } } },
          })
          return { lines: [], existing: { ...row, lines: row.lines.map(toLine) } }
        }
        const ids = items.map(({ productId }) => productId)
        const products = await lockProducts(tx, ids)
        const lines = decide(products)
        await tx.reservationLine.createMany({
          data: lines.map(({ unitPrice, ...line }, position) => ({
            ...line,
            orderId,
            position,
            unitAmount: unitPrice.amount,
            currency: unitPrice.currency,
          })),
        })
        const changes = lines.map(({ productId, quantity }) => ({ productId, delta: -quantity }))
        await changeStock(tx, changes, { reason: 'RESERVED', reference: orderId, at })
        return { lines }
      })
    },

    /** Puts back what is held and leaves a mark that refuses a later reservation. Nothing happens the second time. */
    async release(orderId: string, at: Date): Promise<void> {
      await prisma.$transaction(async (tx) => {
        const marked = await tx.$executeRaw`
          INSERT INTO reservations (order_id, status, expires_at, created_at)
          VALUES (${orderId}::uuid, 'RELEASED', ${at}, ${at}) ON CONFLICT DO NOTHING`
        if (marked > 0) return
        const { count } = await tx.reservation.updateMany({
          where: { orderId, status: 'HELD' },
          data: { status: 'RELEASED' },
        })
        if (count > 0) await putBack(tx, [orderId], { reason: 'RELEASED', at })
      })
    },

    /** Ends up to `limit` holds that are overdue. Several instances may do so at once. Returns how many it ended. */
    async expire(limit: number, at: Date, events: (orderId: string) => readonly NewEvent[]): Promise<number> {
      return prisma.$transaction(async (tx) => {
        const rows = await tx.$queryRaw<{ order_id: string }[]>`
          UPDATE reservations SET status = 'EXPIRED' WHERE order_id IN (
            SELECT order_id FROM reservations WHERE status = 'HELD' AND expires_at <= ${at}
            ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ) RETURNING order_id`
        const orderIds = rows.map(({ order_id }) => order_id)
        if (orderIds.length > 0) await putBack(tx, orderIds, { reason: 'EXPIRED', at })
        const told = orderIds.flatMap((orderId) =>
          events(orderId).map((event, index) => ({ ...event, sequence: index + 1 })),
        )
        await appendToOutbox(tx, told, at)
        return orderIds.length
      })
    },
  }
}

async function lockProducts(tx: Transaction, ids: readonly string[]): Promise<StockedProduct[]> {
  const rows = await tx.$queryRaw<(Omit<StockedProduct, 'price'> & { amount: number; currency: string })[]>`
    SELECT id, sku, name, price_amount AS amount, price_currency AS currency, available, archived_at AS "archivedAt"
    FROM products WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE`
  return rows.map(({ amount, currency, ...row }) => ({ ...row, price: { amount, currency } }))
}

type StockChange = { productId: string; delta: number }
type Entry = { reason: 'RESERVED' | 'RELEASED' | 'EXPIRED'; reference: string; at: Date }

/** The one place where stock changes, once it is there: the product and its ledger, together. The products are locked in id order. */
async function changeStock(
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

async function putBack(tx: Transaction, orderIds: readonly string[], entry: Omit<Entry, 'reference'>): Promise<void> {
  const lines = await tx.reservationLine.findMany({ where: { orderId: { in: [...orderIds] } } })
  const byOrder = Map.groupBy(lines, ({ orderId }) => orderId)
  // All products at once, so that they are locked in one order whatever the orders are.
  await lockProducts(tx, [...new Set(lines.map(({ productId }) => productId))])
  for (const [reference, held] of byOrder) {
    const changes = held.map(({ productId, quantity }) => ({ productId, delta: quantity }))
    await changeStock(tx, changes, { ...entry, reference })
  }
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
