import { Prisma } from '#generated/prisma/orders/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import { ServiceError } from '#platform/errors.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { type NewEvent, numbered, outboxInsert } from '#platform/outbox.ts'
import type { Order } from '../domain/order.ts'
import { type OrderRow, toOrder, whole } from './rows.ts'

export type Transaction = Prisma.TransactionClient

/** What a change makes of an order, and the events that tell of it. */
export type Change = { readonly order: Order; readonly events: readonly NewEvent[] }

/** Says what becomes of an order as it is now. Nothing is written when that is nothing. Asked again where another change came first. */
export type Decide = (order: Order) => Change | undefined | Promise<Change | undefined>

/** How often a change is decided anew. Each time another one has succeeded. */
const mostAttempts = 50

/**
 * Reads an order, lets `decide` say what becomes of it, and writes the order, its events and the mark of the event that led to it
 * together, if the order still is as it was read; else all of that again. Returns it as it is then; undefined where there is none.
 *
 * Guarantee: of two changes at once one comes first, and the other one is decided by what it finds. With an event's id it happens
 * once for that event.
 */
export async function applyChange(
  sql: Transaction,
  orderId: string,
  decide: Decide,
  eventId?: string,
): Promise<Order | undefined> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const before = await readOrder(sql, orderId, eventId)
    if (!before || before.handled) return before?.order
    const change = await decide(before.order)
    if (!change) {
      if (eventId !== undefined) await recordInInbox(sql, eventId)
      return before.order
    }
    try {
      if ((await sql.$executeRaw(writing(before, change, eventId))) > 0) return change.order
    } catch (error) {
      // A twin of the event came first: what is read now says so.
      if (!isUniqueViolation(error, 'inbox_pkey')) throw error
    }
  }
  throw new ServiceError('IN_PROGRESS', 'The order is being changed. Try again.', { retryAfter: 1 })
}

export async function requireOrder(tx: Transaction, id: string): Promise<Order> {
  return toOrder(await tx.order.findUniqueOrThrow({ where: { id }, ...whole }))
}

type Version = { readonly order: Order; readonly sequence: number; readonly version: string }

/** An order with the version of its row, which every change of it changes, and whether an event had its effect before. */
async function readOrder(
  sql: Transaction,
  orderId: string,
  eventId: string | undefined,
): Promise<(Version & { handled: boolean }) | undefined> {
  const [row] = await sql.$queryRaw<(OrderRow & { version: string; handled: boolean })[]>`
    SELECT o.id, number, customer_id AS "customerId", status, total_amount AS "totalAmount", currency, ship_name AS "shipName",
      ship_line1 AS "shipLine1", ship_line2 AS "shipLine2", ship_city AS "shipCity", ship_region AS "shipRegion",
      ship_postal_code AS "shipPostalCode", ship_country AS "shipCountry", cancel_reason AS "cancelReason",
      tracking_number AS "trackingNumber", held_until AS "heldUntil", sequence, created_at AS "createdAt",
      updated_at AS "updatedAt",
      o.xmin::text AS version, EXISTS (SELECT FROM inbox WHERE event_id = ${eventId ?? null}::uuid) AS handled,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('productId', product_id, 'sku', sku, 'name', name, 'quantity', quantity,
        'unitAmount', unit_amount) ORDER BY position), '[]') FROM order_items WHERE order_id = o.id) AS items,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('from', "from", 'to', "to", 'at', at, 'reason', reason, 'by', "by",
        'byId', by_id) ORDER BY position), '[]') FROM order_transitions WHERE order_id = o.id) AS history
    FROM orders o WHERE o.id = ${orderId}::uuid`
  if (!row) return undefined
  const history = row.history.map((entry) => ({ ...entry, at: new Date(entry.at) }))
  const { sequence, version, handled } = row
  return { order: toOrder({ ...row, history }), sequence, version, handled }
}

/** One statement that affects one row, or none where the order is no longer of this version. */
function writing(before: Version, { order, events }: Change, eventId: string | undefined): Prisma.Sql {
  const { id, status, cancelReason, trackingNumber, updatedAt } = order
  const { sequence, version } = before
  const history = order.history.map((entry, position) => ({ ...entry, position })).slice(before.order.history.length)
  const handled = Prisma.sql`, handled AS (INSERT INTO inbox (event_id) SELECT ${eventId}::uuid FROM changed)`
  const told = Prisma.sql`,
    told AS (${outboxInsert(Prisma.sql, numbered(events, sequence), updatedAt, Prisma.sql`changed`)})`
  return Prisma.sql`
    WITH changed AS (
      UPDATE orders SET status = ${status}::order_status, cancel_reason = ${cancelReason}, tracking_number = ${trackingNumber},
        updated_at = ${updatedAt}::timestamptz, sequence = ${sequence + events.length}::int
      WHERE id = ${id}::uuid AND xmin = ${version}::xid
      RETURNING id AS order_id
    ), history AS (
      INSERT INTO order_transitions (order_id, position, "from", "to", at, reason, "by", by_id)
      SELECT order_id, r.position, "from", "to", at, reason, "by", "byId"
      FROM changed, jsonb_to_recordset(${JSON.stringify(history)}::jsonb)
        AS r (position int, "from" order_status, "to" order_status, at timestamptz, reason text, "by" order_actor, "byId" uuid)
    )${eventId === undefined ? Prisma.empty : handled}${events.length === 0 ? Prisma.empty : told}
    SELECT ${events.length === 0 ? Prisma.sql`1` : Prisma.sql`pg_notify('outbox', '')`} FROM changed`
}
