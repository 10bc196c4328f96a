import { orderCancelled, productUpdated } from '#contracts/events.ts'
import type { EventHandler } from '#platform/bus/bus.ts'
import { on } from '#platform/bus/handlers.ts'
import type { ProductsService } from './service.ts'

export function createEventHandlers(service: ProductsService): EventHandler[] {
  return [
    on(orderCancelled, ({ id, data }) => service.orderCancelled(id, data.orderId)),
    on(productUpdated, ({ data: { productId: id, sku, version } }) => service.productUpdated({ id, sku, version })),
  ]
}
