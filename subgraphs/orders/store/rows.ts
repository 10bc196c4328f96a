import type { Prisma } from '#generated/prisma/orders/client.ts'
import type { OutboxEvent } from '#platform/outbox.ts'
import type { Order } from '../domain/order.ts'

/** Orders as the domain sees them, and as the tables hold them. */

export type NewEvent = Omit<OutboxEvent, 'sequence'>

/** What is read of an order: all of it. */
export const whole = {
  items: { orderBy: { position: 'asc' } },
  history: { orderBy: { position: 'asc' } },
} as const satisfies Prisma.OrderInclude
type OrderRow = Prisma.OrderGetPayload<{ include: typeof whole }>

/** Events with their numbers in their aggregate, `before` of which there were. */
export function numbered(events: readonly NewEvent[], before: number): OutboxEvent[] {
  return events.map((event, index) => ({ ...event, sequence: before + index + 1 }))
}

export function toRow(
  { id, number, customerId, status, lines, total, shippingAddress, history, ...rest }: Order,
  sequence: number,
) {
  const { name, line1, line2, city, region, postalCode, country } = shippingAddress
  return {
    ...rest,
    id,
    number,
    customerId,
    status,
    sequence,
    totalAmount: total.amount,
    currency: total.currency,
    shipName: name,
    shipLine1: line1,
    shipLine2: line2,
    shipCity: city,
    shipRegion: region,
    shipPostalCode: postalCode,
    shipCountry: country,
    items: {
      createMany: {
        data: lines.map(({ unitPrice, ...line }, position) => ({ ...line, position, unitAmount: unitPrice.amount })),
      },
    },
    history: { createMany: { data: history.map((entry, position) => ({ ...entry, position })) } },
  }
}

export function toOrder(row: OrderRow): Order {
  const { id, number, customerId, status, currency, cancelReason, createdAt, updatedAt } = row
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
    shippingAddress: {
      name: row.shipName,
      line1: row.shipLine1,
      line2: row.shipLine2,
      city: row.shipCity,
      region: row.shipRegion,
      postalCode: row.shipPostalCode,
      country: row.shipCountry,
    },
    history: row.history.map(({ from, to, at, reason }) => ({ from, to, at, reason })),
    cancelReason,
    createdAt,
    updatedAt,
  }
}
