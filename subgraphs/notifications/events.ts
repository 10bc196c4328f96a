import { orderCreated, userErased, userRegistered, userUpdated } from '#contracts/events.ts'
import type { EventHandler } from '#platform/bus/bus.ts'
import { on } from '#platform/bus/handlers.ts'
import type { NotificationsService } from './service.ts'

/** `onRecorded` is told when there is something new to deliver. */
export function createEventHandlers(service: NotificationsService, onRecorded: () => void): EventHandler[] {
  return [
    on(userRegistered, async ({ id, sequence, data }) => {
      await service.userRegistered(id, { ...data, sequence })
      onRecorded()
    }),
    on(userUpdated, async ({ id, sequence, data }) => {
      await service.userUpdated(id, { ...data, sequence })
      onRecorded()
    }),
    on(userErased, ({ id, data }) => service.userErased(id, data.userId)),
    on(orderCreated, async ({ id, data }) => {
      await service.orderPlaced(id, data)
      onRecorded()
    }),
  ]
}
