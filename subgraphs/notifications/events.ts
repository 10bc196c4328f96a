import {
  orderCancelled,
  orderCreated,
  orderDelivered,
  orderPaid,
  orderShipped,
  paymentDeclined,
  paymentRefunded,
  userErased,
  userPasswordChanged,
  userRegistered,
  userSignedIn,
  userUpdated,
} from '#contracts/events.ts'
import type { EventHandler } from '#platform/bus/bus.ts'
import { on } from '#platform/bus/handlers.ts'
import type { NotificationsService } from './service.ts'

export function createEventHandlers(service: NotificationsService): EventHandler[] {
  return [
    on(userRegistered, ({ id, sequence, data }) => service.userRegistered(id, { ...data, sequence })),
    on(userUpdated, ({ id, sequence, time, data }) => service.userUpdated(id, { ...data, sequence }, time)),
    on(userErased, ({ id, data }) => service.userErased(id, data.userId)),
    on(userSignedIn, ({ id, time, data }) => service.userSignedIn(id, { ...data, at: time })),
    on(userPasswordChanged, ({ id, time, data }) => service.passwordChanged(id, { ...data, at: time })),
    on(orderCreated, ({ id, data }) => service.orderPlaced(id, data)),
    on(orderPaid, ({ id, data }) => service.orderPaid(id, data)),
    on(orderShipped, ({ id, data }) => service.orderShipped(id, data)),
    on(orderDelivered, ({ id, data }) => service.orderDelivered(id, data)),
    on(orderCancelled, ({ id, data }) => service.orderCancelled(id, data)),
    on(paymentDeclined, ({ id, data }) => service.paymentDeclined(id, data)),
    on(paymentRefunded, ({ id, data }) => service.paymentRefunded(id, data)),
  ]
}
