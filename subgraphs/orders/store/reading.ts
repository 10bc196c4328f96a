import { Prisma, type PrismaClient } from '#generated/prisma/orders/client.ts'
import type { Order, OrderFilter } from '../domain/order.ts'
import { type OrderRow, toOrder } from './rows.ts'

type Key = { createdAt: Date; id: string }
export type Listing = { filter: OrderFilter; limit: number; after: Key | undefined }

/**
 * Orders that were placed, as their customers and the shop look at them. Any number of them is one statement, so that the status
 * and the history of each are of one moment, and comes as one JSON text.
 */
export function orderReads(prisma: PrismaClient) {
  async function read(selected: Prisma.Sql): Promise<Order[]> {
    const [row] = await prisma.$queryRaw<{ orders: string | null }[]>`
      SELECT json_agg(row ORDER BY "createdAt" DESC, id DESC)::text AS orders FROM (
        SELECT id, number, customer_id AS "customerId", status, total_amount AS "totalAmount", currency, ship_name AS "shipName",
          ship_line1 AS "shipLine1", ship_line2 AS "shipLine2", ship_city AS "shipCity", ship_region AS "shipRegion",
          ship_postal_code AS "shipPostalCode", ship_country AS "shipCountry", cancel_reason AS "cancelReason",
          tracking_number AS "trackingNumber", held_until AS "heldUntil", sequence, created_at AS "createdAt",
          updated_at AS "updatedAt",
          ARRAY(SELECT item FROM (
            SELECT order_id AS "orderId", position, product_id AS "productId", sku, name, quantity, unit_amount AS "unitAmount"
            FROM order_items WHERE order_id = selected.id ORDER BY position
          ) AS item) AS items,
          ARRAY(SELECT entry FROM (
            SELECT order_id AS "orderId", position, "from", "to", at, reason, "by", by_id AS "byId"
            FROM order_transitions WHERE order_id = selected.id ORDER BY position
          ) AS entry) AS history
        FROM (${selected}) AS selected
      ) AS row`
    return row?.orders ? (JSON.parse(row.orders) as OrderText[]).map(revived) : []
  }

  return {
    /**
     * The orders that exist among the ids, of one customer where one is named. An order of another customer then costs
     * what one costs that never was, so that the time of an answer does not tell them apart.
     */
    findOrders(ids: readonly string[], customerId?: string): Promise<Order[]> {
      // In a query of their own PostgreSQL does not look at how many they are, and plans once for all numbers of them.
      const among = Prisma.sql`id = ANY(ARRAY(SELECT unnest(${ids}::uuid[])))`
      return read(Prisma.sql`SELECT * FROM orders WHERE ${among} AND ${conditions({ customerId })}`)
    },

    /** The orders of a filter, newest first, behind `after`. */
    listOrders({ filter, limit, after }: Listing): Promise<Order[]> {
      const further = after
        ? Prisma.sql` AND (created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`
        : Prisma.empty
      return read(Prisma.sql`
        SELECT * FROM orders WHERE ${conditions(filter)}${further} ORDER BY created_at DESC, id DESC LIMIT ${limit}`)
    },
  }
}

function conditions({ customerId, status, number, createdFrom, createdTo }: OrderFilter): Prisma.Sql {
  const all = [
    Prisma.sql`true`,
    ...(customerId ? [Prisma.sql`customer_id = ${customerId}::uuid`] : []),
    ...(status ? [Prisma.sql`status = ${status}::order_status`] : []),
    ...(number ? [Prisma.sql`number = ${number}`] : []),
    ...(createdFrom ? [Prisma.sql`created_at >= ${storable(createdFrom)}::timestamptz`] : []),
    ...(createdTo ? [Prisma.sql`created_at < ${storable(createdTo)}::timestamptz`] : []),
  ]
  return Prisma.join(all, ' AND ')
}

/** The earliest time that the database knows. Nothing was placed before. */
const earliest = new Date('0001-01-01T00:00:00Z')

function storable(time: Date): Date {
  return time < earliest ? earliest : time
}

type Entry = OrderRow['history'][number]
/** A row as JSON has it. */
type OrderText = Omit<OrderRow, 'history' | 'heldUntil' | 'createdAt' | 'updatedAt'> & {
  readonly history: readonly (Omit<Entry, 'at'> & { readonly at: string })[]
  readonly heldUntil: string | null
  readonly createdAt: string
  readonly updatedAt: string
}

function revived({ history, heldUntil, createdAt, updatedAt, ...row }: OrderText): Order {
  return toOrder({
    ...row,
    history: history.map((entry) => ({ ...entry, at: new Date(entry.at) })),
    heldUntil: heldUntil === null ? null : new Date(heldUntil),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  })
}
