import { badInput, notFound, ServiceError, signInFirst } from '#platform/errors.ts'

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

/** Who moved an order on: its customer, somebody of the shop, or the shop's own processes, which have no account. */
export type Actor = { readonly by: 'CUSTOMER' | 'STAFF' | 'SYSTEM'; readonly byId: string | null }

/** An entry of an order's history. Where `from` and `to` are the same, it tells of something that changed no status. */
export type Transition = Actor & {
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
  readonly trackingNumber: string | null
  /** Until when its items are held for a payment. Null for an order from before it was kept. */
  readonly heldUntil: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Which orders. What is absent does not matter. */
export type OrderFilter = {
  readonly customerId?: string | undefined
  readonly status?: OrderStatus | undefined
  readonly number?: string | undefined
  /** Placed at this time or later. */
  readonly createdFrom?: Date | undefined
  /** Placed before this time. */
  readonly createdTo?: Date | undefined
}

/** GraphQL's Int. */
const largestAmount = 2 ** 31 - 1

/** On whose behalf something is asked: nobody's that is known, where `sub` is null. */
export type Caller = { readonly sub: string | null; readonly scopes: readonly string[] }

/** An order is seen by who placed it and by callers who may read all. */
export function maySeeOrdersOf(viewer: Caller, customerId: string): boolean {
  return viewer.sub === customerId || viewer.scopes.includes('orders:read')
}

/** The one customer whose orders a caller may see; undefined for one who may see all, null for one who may see none. */
export function visibleCustomer(viewer: Caller): string | undefined | null {
  return viewer.scopes.includes('orders:read') ? undefined : viewer.sub
}

/** Whoever sends orders out. */
const fulfilScope = 'orders:fulfil'

/**
 * Who moves an order on. Throws NOT_FOUND for callers who may not even see it, and FORBIDDEN for those who may not change it:
 * all but staff with the scope `orders:fulfil`, and, where they may as well, the customer.
 */
export function actorOf(caller: Caller, { customerId }: Order, { customerMay }: { customerMay: boolean }): Actor {
  const { sub, scopes } = caller
  if (sub === null) throw signInFirst()
  if (sub === customerId && customerMay) return { by: 'CUSTOMER', byId: sub }
  if (scopes.includes(fulfilScope)) return { by: 'STAFF', byId: sub }
  if (!maySeeOrdersOf(caller, customerId)) throw notFound('order')
  throw forbidden(fulfilScope)
}

/** Throws UNAUTHENTICATED for nobody and FORBIDDEN for a caller without a scope. */
export function requireScope({ sub, scopes }: Caller, scope: 'orders:read' | typeof fulfilScope): void {
  if (sub === null) throw signInFirst()
  if (!scopes.includes(scope)) throw forbidden(scope)
}

function forbidden(scope: string): ServiceError {
  return new ServiceError('FORBIDDEN', `This needs the scope ${scope}.`)
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

/** A new order of lines that are held. Throws BAD_USER_INPUT for what cannot be summed up. */
export function placeOrder(
  order: Pick<Order, 'id' | 'number' | 'customerId' | 'lines' | 'shippingAddress' | 'heldUntil'>,
  at: Date,
): Order {
  return {
    ...order,
    status: 'PENDING',
    total: totalOf(order.lines),
    history: [{ from: null, to: 'PENDING', at, reason: null, by: 'CUSTOMER', byId: order.customerId }],
    cancelReason: null,
    trackingNumber: null,
    createdAt: at,
    updatedAt: at,
  }
}

/** Until when an order can be paid. Null once it waits for no payment, and where it is not known. */
export function payableUntil({ status, heldUntil }: Order): Date | null {
  return status === 'PENDING' ? heldUntil : null
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
