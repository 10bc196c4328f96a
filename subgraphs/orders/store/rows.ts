import { Prisma } from '#generated/prisma/orders/client.ts'
import { type NewEvent, numbered, outboxInsert } from '#platform/outbox.ts'
import type { Address, Order } from '../domain/order.ts'

/** Orders as the domain sees them, and as the tables hold them. */

/** What is read of an order: all of it, by one statement, so that its status and its history are of one moment. */
export const whole = {
  include: {
    items: { orderBy: { position: 'asc' } },
    history: { orderBy: { position: 'asc' } },
  },
  relationLoadStrategy: 'join',
} as const satisfies Pick<Prisma.OrderFindManyArgs, 'include' | 'relationLoadStrategy'>
export type OrderRow = Prisma.OrderGetPayload<Pick<typeof whole, 'include'>>

/**
 * One statement that writes an order with its lines, its history and its first events where `condition`, an UPDATE, finds a row,
 * and nothing where it finds none. It affects one row or none.
 */
export function insertOrder(order: Order, events: readonly NewEvent[], condition: Prisma.Sql): Prisma.Sql {
  const { id, number, customerId, status, total, shippingAddress: to, createdAt, updatedAt } = order
  const lines = order.lines.map(({ unitPrice, ...line }, position) => ({ ...line, position, amount: unitPrice.amount }))
  const history = order.history.map((entry, position) => ({ ...entry, position }))
  return Prisma.sql`
    WITH condition AS (${condition} RETURNING 1),
    placed AS (
      INSERT INTO orders (id, number, customer_id, status, total_amount, currency, ship_name, ship_line1, ship_line2, ship_city,
        ship_region, ship_postal_code, ship_country, cancel_reason, tracking_number, held_until, sequence, created_at, updated_at)
      SELECT ${id}::uuid, ${number}, ${customerId}::uuid, ${status}::order_status, ${total.amount}::int, ${total.currency},
        ${to.name}, ${to.line1}, ${to.line2}, ${to.city}, ${to.region}, ${to.postalCode}, ${to.country}, ${order.cancelReason},
        ${order.trackingNumber}, ${order.heldUntil}::timestamptz, ${events.length}::int, ${createdAt}::timestamptz,
        ${updatedAt}::timestamptz
      FROM condition RETURNING id
    ), items AS (
      INSERT INTO order_items (order_id, position, product_id, sku, name, quantity, unit_amount)
      SELECT placed.id, r.position, "productId", sku, name, quantity, amount
      FROM placed, jsonb_to_recordset(${JSON.stringify(lines)}::jsonb)
        AS r (position int, "productId" uuid, sku text, name text, quantity int, amount int)
    ), history AS (
      INSERT INTO order_transitions (order_id, position, "from", "to", at, reason, "by", by_id)
      SELECT placed.id, r.position, "from", "to", at, reason, "by", "byId"
      FROM placed, jsonb_to_recordset(${JSON.stringify(history)}::jsonb)
        AS r (position int, "from" order_status, "to" order_status, at timestamptz, reason text, "by" order_actor, "byId" uuid)
    ), told AS (${outboxInsert(Prisma.sql, numbered(events, 0), updatedAt, Prisma.sql`placed`)})
    SELECT pg_notify('outbox', '') FROM placed`
}

export function toOrder(row: OrderRow): Order {
  const { id, number, customerId, status, currency, cancelReason, trackingNumber, heldUntil, createdAt, updatedAt } =
    row
  return {
    id,
    number,
    customerId,
    status,
    lines: row.items.map(({ productId, sku, name, quantity, unitAmount }) => ({
      productId,
      sku,
      name,
      quantity,
      unitPrice: { amount: unitAmount, currency },
    })),
    total: { amount: row.totalAmount, currency },
    shippingAddress: toAddress(row),
    history: row.history.map(({ from, to, at, reason, by, byId }) => ({ from, to, at, reason, by, byId })),
    cancelReason,
    trackingNumber,
    heldUntil,
    createdAt,
    updatedAt,
  }
}

/** The columns that hold an address. */
export const addressColumns = {
  shipName: true,
  shipLine1: true,
  shipLine2: true,
  shipCity: true,
  shipRegion: true,
  shipPostalCode: true,
  shipCountry: true,
} as const satisfies Prisma.OrderSelect
type AddressColumns = Pick<OrderRow, keyof typeof addressColumns>

export function toAddressColumns(address: Address): AddressColumns {
  return {
    shipName: address.name,
    shipLine1: address.line1,
    shipLine2: address.line2,
    shipCity: address.city,
    shipRegion: address.region,
    shipPostalCode: address.postalCode,
    shipCountry: address.country,
  }
}

export function toAddress(row: AddressColumns): Address {
  return {
    name: row.shipName,
    line1: row.shipLine1,
    line2: row.shipLine2,
    city: row.shipCity,
    region: row.shipRegion,
    postalCode: row.shipPostalCode,
    country: row.shipCountry,
  }
}
