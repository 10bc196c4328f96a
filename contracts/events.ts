import { z } from 'zod'

/**
 * The events that services tell each other, shared by both ends: a name, a topic, a key and a parser.
 *
 * Fields are only ever added, optional first. No secret and no one-time code ever enters an event.
 */

/** A kind of event. */
export type EventDefinition<Type extends string = string, Data extends z.ZodType = z.ZodType> = {
  /** CloudEvents `type`. */
  readonly type: Type
  /** The topic it travels on: the name of the service that emits it. */
  readonly topic: string
  /** Parses the body. Unknown fields are dropped, so that a newer sender does no harm. */
  readonly data: Data
  /** An event of this kind, to be put in the outbox. */
  of(data: z.input<Data>): NewEvent
}

/** An event that has happened but has no id yet. */
export type NewEvent = {
  readonly type: string
  readonly topic: string
  /** The id whose events keep their order among each other. */
  readonly key: string
  readonly data: object
}

export type EventData<Definition> = Definition extends EventDefinition<string, infer Data> ? z.output<Data> : never

function defineEvent<Type extends string, Data extends z.ZodType<object, object>>(
  type: Type,
  { topic, key, data }: { topic: string; key: (data: z.input<Data>) => string; data: Data },
): EventDefinition<Type, Data> {
  return { type, topic, data, of: (input) => ({ type, topic, key: key(input), data: input }) }
}

/** Minor units of an ISO 4217 currency. */
const money = z.object({ amount: z.int().nonnegative(), currency: z.string().length(3) })

const orderLine = z.object({
  productId: z.uuid(),
  sku: z.string(),
  name: z.string(),
  quantity: z.int().positive(),
  unitPrice: money,
})

/** An account was created. Carries what is needed to write to the person. */
export const userRegistered = defineEvent('user.registered', {
  topic: 'users',
  key: (data) => data.userId,
  data: z.object({ userId: z.uuid(), name: z.string(), email: z.string(), locale: z.string() }),
})

/** What is needed to write to a person changed. Carries all of it as it is now. */
export const userUpdated = defineEvent('user.updated', {
  topic: 'users',
  key: (data) => data.userId,
  data: z.object({ userId: z.uuid(), name: z.string(), email: z.string(), locale: z.string() }),
})

/** A person signed in, by password. */
export const userSignedIn = defineEvent('user.signed_in', {
  topic: 'users',
  key: (data) => data.userId,
  data: z.object({ userId: z.uuid() }),
})

/** A password was changed or reset. */
export const userPasswordChanged = defineEvent('user.password_changed', {
  topic: 'users',
  key: (data) => data.userId,
  data: z.object({ userId: z.uuid() }),
})

/** An account is gone. Whoever keeps anything personal of it forgets it. */
export const userErased = defineEvent('user.erased', {
  topic: 'users',
  key: (data) => data.userId,
  data: z.object({ userId: z.uuid() }),
})

/** What the catalogue says of a product changed, or the product is new. Carries all of it as it is now but the description. */
export const productUpdated = defineEvent('product.updated', {
  topic: 'products',
  key: (data) => data.productId,
  data: z.object({
    productId: z.uuid(),
    sku: z.string(),
    name: z.string(),
    price: money,
    categoryId: z.uuid(),
    /** Counts the product's changes. Also the event's sequence. */
    version: z.int().positive(),
    /** Whether it is for sale no longer. */
    archived: z.boolean(),
  }),
})

/** The stock of a product that is for sale has fallen to the threshold or below, from above it. */
export const stockLow = defineEvent('stock.low', {
  topic: 'products',
  key: (data) => data.productId,
  data: z.object({
    productId: z.uuid(),
    sku: z.string(),
    name: z.string(),
    available: z.int().nonnegative(),
    threshold: z.int().nonnegative(),
  }),
})

/** The hold of an order's items ended before the order was paid; the items are for sale again. */
export const reservationExpired = defineEvent('reservation.expired', {
  topic: 'products',
  key: (data) => data.orderId,
  data: z.object({ orderId: z.uuid() }),
})

/** An order was placed and its items are held. */
export const orderCreated = defineEvent('order.created', {
  topic: 'orders',
  key: (data) => data.orderId,
  data: z.object({
    orderId: z.uuid(),
    number: z.string(),
    customerId: z.uuid(),
    items: z.array(orderLine),
    total: money,
  }),
})

/** An order was paid and its items are sold. */
export const orderPaid = defineEvent('order.paid', {
  topic: 'orders',
  key: (data) => data.orderId,
  data: z.object({ orderId: z.uuid(), number: z.string(), customerId: z.uuid(), total: money }),
})

/** An order is with the carrier. */
export const orderShipped = defineEvent('order.shipped', {
  topic: 'orders',
  key: (data) => data.orderId,
  data: z.object({ orderId: z.uuid(), number: z.string(), customerId: z.uuid(), trackingNumber: z.string() }),
})

/** An order is with its customer. */
export const orderDelivered = defineEvent('order.delivered', {
  topic: 'orders',
  key: (data) => data.orderId,
  data: z.object({ orderId: z.uuid(), number: z.string(), customerId: z.uuid() }),
})

/** An order ended without delivery. */
export const orderCancelled = defineEvent('order.cancelled', {
  topic: 'orders',
  key: (data) => data.orderId,
  data: z.object({ orderId: z.uuid(), number: z.string(), customerId: z.uuid(), reason: z.string() }),
})

/** The money of an order is ours. */
export const paymentCaptured = defineEvent('payment.captured', {
  topic: 'payments',
  key: (data) => data.orderId,
  data: z.object({ paymentId: z.uuid(), orderId: z.uuid(), customerId: z.uuid(), amount: money }),
})

/** An attempt to pay an order failed. The order can be paid anew. */
export const paymentDeclined = defineEvent('payment.declined', {
  topic: 'payments',
  key: (data) => data.orderId,
  data: z.object({ paymentId: z.uuid(), orderId: z.uuid(), customerId: z.uuid(), reason: z.string() }),
})

/** Money of an order went back, all of it or a part. */
export const paymentRefunded = defineEvent('payment.refunded', {
  topic: 'payments',
  key: (data) => data.orderId,
  data: z.object({
    paymentId: z.uuid(),
    refundId: z.uuid(),
    orderId: z.uuid(),
    customerId: z.uuid(),
    /** What went back now. */
    amount: money,
    /** What of the payment went back until now. */
    refunded: money,
    /** Whether that is all of it. */
    full: z.boolean(),
    reason: z.string(),
  }),
})

/** Every event there is. */
export const events = [
  userRegistered,
  userUpdated,
  userSignedIn,
  userPasswordChanged,
  userErased,
  productUpdated,
  stockLow,
  reservationExpired,
  orderCreated,
  orderPaid,
  orderShipped,
  orderDelivered,
  orderCancelled,
  paymentCaptured,
  paymentDeclined,
  paymentRefunded,
] as const
