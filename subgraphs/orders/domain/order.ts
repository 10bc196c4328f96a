import { badInput, ServiceError } from '#platform/errors.ts'

export type OrderStatus = 'PENDING' | 'PAID' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED'

/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

export type OrderLine = {
  readonly productId: string
  readonly sku: string
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
}

export type Address = {
  readonly name: string
  readonly line1: string
  readonly line2: string | null
  readonly city: string
  readonly region: string | null
  readonly postalCode: string
  /** ISO 3166-1 alpha-2. */
  readonly country: string
}

export type Transition = {
  readonly from: OrderStatus | null
  readonly to: OrderStatus
  readonly at: Date
  readonly reason: string | null
}

export type Order = {
  readonly id: string
  readonly number: string
  readonly customerId: string
  readonly status: OrderStatus
  readonly lines: readonly OrderLine[]
  readonly total: Money
  readonly shippingAddress: Address
  readonly history: readonly Transition[]
  readonly cancelReason: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Where each status may go. Everything else is refused. */
const next: Record<OrderStatus, readonly OrderStatus[]> = {
  PENDING: ['PAID', 'CANCELLED'],
  PAID: ['SHIPPED', 'CANCELLED'],
  SHIPPED: ['DELIVERED'],
  DELIVERED: [],
  CANCELLED: [],
}

export const reservationExpiredReason = 'EXPIRED'

/** GraphQL's Int. */
const largestAmount = 2 ** 31 - 1

/** An order is seen by who placed it and by callers who may read all. */
export function maySeeOrdersOf(viewer: { sub: string | null; scopes: readonly string[] }, customerId: string): boolean {
  return viewer.sub === customerId || viewer.scopes.includes('orders:read')
}

/** The one customer whose orders a caller may see; undefined for one who may see all, null for one who may see none. */
export function visibleCustomer(viewer: { sub: string | null; scopes: readonly string[] }): string | undefined | null {
  return viewer.scopes.includes('orders:read') ? undefined : viewer.sub
}

/** Refuses a customer whose account is gone. */
export function accountGone(): ServiceError {
  return new ServiceError('UNAUTHENTICATED', 'The account no longer exists.')
}

const erased = 'erased'

/** An address that tells nothing of the person any more. The country stays: what was taxed depends on it. */
export function blankAddress({ country }: Address): Address {
  return { name: erased, line1: erased, line2: null, city: erased, region: null, postalCode: erased, country }
}

/** Moves an order on. Throws ILLEGAL_TRANSITION. */
export function transition(order: Order, to: OrderStatus, at: Date, reason: string | null = null): Order {
  if (!next[order.status].includes(to)) {
    throw new ServiceError('ILLEGAL_TRANSITION', `An order that is ${order.status} cannot become ${to}.`)
  }
  return {
    ...order,
    status: to,
    history: [...order.history, { from: order.status, to, at, reason }],
    cancelReason: to === 'CANCELLED' ? reason : order.cancelReason,
    updatedAt: at,
  }
}

/** A new order of lines that are held. Throws BAD_USER_INPUT for what cannot be summed up. */
export function placeOrder(
  order: Pick<Order, 'id' | 'number' | 'customerId' | 'lines' | 'shippingAddress'>,
  at: Date,
): Order {
  return {
    ...order,
    status: 'PENDING',
    total: totalOf(order.lines),
    history: [{ from: null, to: 'PENDING', at, reason: null }],
    cancelReason: null,
    createdAt: at,
    updatedAt: at,
  }
}

export function lineTotal({ unitPrice, quantity }: OrderLine): Money {
  return { amount: unitPrice.amount * quantity, currency: unitPrice.currency }
}

/** The sum of the lines. One currency; at most what GraphQL can say. */
function totalOf(lines: readonly OrderLine[]): Money {
  const [currency, ...others] = [...new Set(lines.map(({ unitPrice }) => unitPrice.currency))]
  if (currency === undefined) throw badInput('items', 'An order has at least one line.')
  if (others.length > 0) throw badInput('items', 'The items of an order have one currency.')
  const amount = lines.reduce((sum, line) => sum + lineTotal(line).amount, 0)
  if (amount > largestAmount) throw badInput('items', 'The total of the order is too large.')
  return { amount, currency }
}

/** Crockford's base 32, without letters that look like digits. https://www.crockford.com/base32.html */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A number that people can say and nobody can guess: 8 symbols, 40 random bits. */
export function orderNumber(random: Uint8Array): string {
  const symbols = [...random.slice(0, 8)].map((byte) => alphabet[byte % 32])
  return `${symbols.slice(0, 4).join('')}-${symbols.slice(4).join('')}`
}
