import { orderCancelled, orderCreated, orderDelivered, orderPaid, orderShipped } from './events/orders.ts'
import { paymentCaptured, paymentDeclined, paymentRefunded } from './events/payments.ts'
import { productUpdated, reservationExpired, stockLow } from './events/products.ts'
import { userErased, userPasswordChanged, userRegistered, userSignedIn, userUpdated } from './events/users.ts'

/**
 * The events that services tell each other, shared by both ends: a name, a topic, a key, a meaning, a parser and an example.
 *
 * Fields are only ever added, as optional ones: `npm run check` compares with what was told before (docs/adr/0014). No secret
 * and no one-time code ever enters an event.
 */
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

export type { EventData, EventDefinition, NewEvent } from './events/define.ts'
export {
  orderCancelled,
  orderCreated,
  orderDelivered,
  orderPaid,
  orderShipped,
  paymentCaptured,
  paymentDeclined,
  paymentRefunded,
  productUpdated,
  reservationExpired,
  stockLow,
  userErased,
  userPasswordChanged,
  userRegistered,
  userSignedIn,
  userUpdated,
}
