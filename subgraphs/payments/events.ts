import { orderCancelled } from '#contracts/events.ts'
import type { EventHandler } from '#platform/bus/bus.ts'
import { on } from '#platform/bus/handlers.ts'
import type { PaymentsService } from './service.ts'

export function createEventHandlers(service: PaymentsService): EventHandler[] {
  return [on(orderCancelled, ({ id, data }) => service.orderCancelled(id, data.orderId))]
}
