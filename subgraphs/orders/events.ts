import { paymentCaptured, paymentDeclined, paymentRefunded, reservationExpired, userErased } from '#contracts/events.ts'
import type { EventHandler } from '#platform/bus/bus.ts'
import { on } from '#platform/bus/handlers.ts'
import type { OrdersService } from './service.ts'

export function createEventHandlers(service: OrdersService): EventHandler[] {
  return [
    on(paymentCaptured, ({ id, data }) => service.paymentCaptured(id, data)),
    on(paymentDeclined, ({ id, data }) => service.paymentDeclined(id, data)),
    on(paymentRefunded, ({ id, data }) => service.paymentRefunded(id, data)),
    on(reservationExpired, ({ id, data }) => service.reservationExpired(id, data.orderId)),
    on(userErased, ({ id, data }) => service.customerErased(id, data.userId)),
  ]
}
