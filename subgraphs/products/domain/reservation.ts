import { createHash } from 'node:crypto'
import { badInput, notFound, ServiceError } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { type Money, orderable, type StockedProduct } from './catalogue.ts'

/**
 * What is held for an order. It is then sold (COMMITTED), or put back: asked to (RELEASED) or by the time (EXPIRED). What was
 * sold may come back (RETURNED).
 */
export type ReservationStatus = 'HELD' | 'COMMITTED' | 'RELEASED' | 'EXPIRED' | 'RETURNED'

/** What a reservation needs to know of a product. */
export type Reservable = Pick<StockedProduct, 'id' | 'sku' | 'name' | 'price' | 'available' | 'archivedAt'>

/** What an order asks to hold. */
export type ReservationItem = { readonly productId: string; readonly quantity: number }

/** What is held, with the catalogue's values of that moment. */
export type ReservedLine = ReservationItem & { readonly sku: string; readonly name: string; readonly unitPrice: Money }

export type Reservation = {
  readonly orderId: string
  readonly status: ReservationStatus
  /** Null for the mark of a release that came before anything was held. */
  readonly itemsHash: string | null
  readonly expiresAt: Date
  readonly lines: readonly ReservedLine[]
}

const mostLines = 100
const largestQuantity = 1000
/** Names that one message holds; `items` has all. */
const namesShown = 5

/** The items of a reservation by the rules. Throws BAD_USER_INPUT. */
export function parseItems(items: readonly ReservationItem[]): ReservationItem[] {
  if (items.length < 1 || items.length > mostLines) throw badInput('items', `An order has 1 to ${mostLines} lines.`)
  const parsed = items.map(({ productId, quantity }, index) => {
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > largestQuantity) {
      throw badInput(`items.${index}.quantity`, `A quantity is 1 to ${largestQuantity}.`)
    }
    const id = parseId(productId)
    if (!id) throw noSuchProduct(index)
    return { productId: id, quantity }
  })
  const seen = new Set<string>()
  for (const [index, { productId }] of parsed.entries()) {
    if (seen.has(productId)) throw badInput(`items.${index}.productId`, 'Each product stands in one line.')
    seen.add(productId)
  }
  return parsed
}

/** Tells whether two requests ask for the same. The order of the lines does not matter. */
export function hashItems(items: readonly ReservationItem[]): string {
  const lines = items.map(({ productId, quantity }) => `${productId} ${quantity}`).sort()
  return createHash('sha256').update(lines.join('\n')).digest('base64url')
}

/**
 * All lines or none, at the prices of now. `products` are the ones that exist, locked, so that what is decided here
 * stays true until it is written. Of an archived product there is nothing. Throws NOT_FOUND or INSUFFICIENT_STOCK.
 */
export function reserve(items: readonly ReservationItem[], products: readonly Reservable[]): ReservedLine[] {
  const byId = new Map(products.map((product) => [product.id, product]))
  const lines = items.map(({ productId, quantity }, index) => {
    const product = byId.get(productId)
    if (!product) throw noSuchProduct(index)
    return {
      productId,
      quantity,
      sku: product.sku,
      name: product.name,
      unitPrice: product.price,
      available: orderable(product),
    }
  })
  const short = lines.filter(({ quantity, available }) => available < quantity)
  if (short.length > 0) {
    throw new ServiceError('INSUFFICIENT_STOCK', `Not enough in stock: ${listed(short.map(({ name }) => name))}.`, {
      items: short.map(({ productId, quantity, available }) => ({ productId, requested: quantity, available })),
    })
  }
  return lines.map(({ available: _, ...line }) => line)
}

/** What a repeat of a reservation gets. Throws RESERVATION_ENDED or IDEMPOTENCY_KEY_REUSED. */
export function repeatReservation(reservation: Reservation, items: readonly ReservationItem[]): Reservation {
  if (reservation.status !== 'HELD') throw ended()
  if (reservation.itemsHash !== hashItems(items)) {
    throw new ServiceError('IDEMPOTENCY_KEY_REUSED', 'Other items are held for this order.')
  }
  const position = new Map(items.map(({ productId }, index) => [productId, index]))
  const lines = [...reservation.lines].sort(
    (a, b) => (position.get(a.productId) ?? 0) - (position.get(b.productId) ?? 0),
  )
  return { ...reservation, lines }
}

/** Each step of a reservation, with what it does to the stock for each item: to what is available and to what is held. */
export const steps = {
  RESERVED: { to: 'HELD', available: -1, held: 1 },
  COMMITTED: { from: 'HELD', to: 'COMMITTED', available: 0, held: -1 },
  RELEASED: { from: 'HELD', to: 'RELEASED', available: 1, held: -1 },
  EXPIRED: { from: 'HELD', to: 'EXPIRED', available: 1, held: -1 },
  RETURNED: { from: 'COMMITTED', to: 'RETURNED', available: 1, held: 0 },
} as const satisfies Record<
  string,
  { from?: ReservationStatus; to: ReservationStatus; available: number; held: number }
>

/** The steps that end a hold or a sale. */
export type Step = Exclude<keyof typeof steps, 'RESERVED'>

/**
 * What has to be done with the reservation of an order, which is undefined where there is none. `mark` leaves one that is
 * RELEASED, so that a reservation that comes late is refused.
 */
export type Decision = (status: ReservationStatus | undefined) => Step | 'mark' | undefined

/** Sells what is held. Throws NOT_FOUND, or RESERVATION_ENDED when it is held no longer. */
export const commit: Decision = (status) => {
  if (status === undefined) throw notFound('reservation')
  if (status === 'HELD') return 'COMMITTED'
  if (status === 'COMMITTED') return undefined
  throw ended()
}

/** Puts back what is held. Throws ILLEGAL_TRANSITION when it is sold: only the order's cancellation brings it back. */
export const release: Decision = (status) => {
  if (status === undefined) return 'mark'
  if (status === 'COMMITTED') throw new ServiceError('ILLEGAL_TRANSITION', 'What was reserved is sold.')
  return status === 'HELD' ? 'RELEASED' : undefined
}

/** Brings back what a cancelled order had, held or sold. */
export const bringBack: Decision = (status) => {
  if (status === undefined) return 'mark'
  if (status === 'HELD') return 'RELEASED'
  return status === 'COMMITTED' ? 'RETURNED' : undefined
}

function ended(): ServiceError {
  return new ServiceError('RESERVATION_ENDED', 'Nothing can be held for this order any more.')
}

/** The first few of many names. */
function listed(names: readonly string[]): string {
  const [more, first] = [names.length - namesShown, names.slice(0, namesShown).join(', ')]
  return more > 0 ? `${first} and ${more} more` : first
}

function noSuchProduct(index: number): ServiceError {
  return new ServiceError('NOT_FOUND', 'There is no such product.', { field: `items.${index}.productId` })
}
