import type { Prisma } from '#generated/prisma/orders/client.ts'
import type { OutboxEvent } from '#platform/outbox.ts'
import type { Address, Order } from '../domain/order.ts'

/** Orders as the domain sees them, and as the tables hold them. */

export type NewEvent = Omit<OutboxEvent, 'sequence'>

/** What is read of an order: all of it, by one statement, so that its status and its history are of one moment. */
export const whole = {
  include: {
    items: { orderBy: { position: 'asc' } },
    history: { orderBy: { position: 'asc' } },
  },
  relationLoadStrategy: 'join',
} as const satisfies Pick<Prisma.OrderFindManyArgs, 'include' | 'relationLoadStrategy'>
type OrderRow = Prisma.OrderGetPayload<Pick<typeof whole, 'include'>>

/** Events with their numbers in their aggregate, `before` of which there were. */
export function numbered(events: readonly NewEvent[], before: number): OutboxEvent[] {
  return events.map((event, index) => ({ ...event, sequence: before + index + 1 }))
}

export function toRow(
  { id, number, customerId, status, lines, total, shippingAddress, history, ...rest }: Order,
  sequence: number,
) {
  return {
    ...rest,
    id,
    number,
    customerId,
    status,
    sequence,
    totalAmount: total.amount,
    currency: total.currency,
    ...toAddressColumns(shippingAddress),
    items: {
      createMany: {
        data: lines.map(({ unitPrice, ...line }, position) => ({ ...line, position, unitAmount: unitPrice.amount })),
      },
    },
    history: { createMany: { data: history.map((entry, position) => ({ ...entry, position })) } },
  }
}

export function toOrder(row: OrderRow): Order {
  const { id, number, customerId, status, currency, cancelReason, trackingNumber, createdAt, updatedAt } = row
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
