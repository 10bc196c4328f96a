import type { EventHandler } from '#platform/bus/bus.ts'
import { createEventHandlers as notifications } from '../../subgraphs/notifications/events.ts'
import { createEventHandlers as orders } from '../../subgraphs/orders/events.ts'
import { createEventHandlers as payments } from '../../subgraphs/payments/events.ts'
import { createEventHandlers as products } from '../../subgraphs/products/events.ts'

/** The services that consume events, each with what makes its handlers. */
export const consumers: Record<string, (service: never, onRecorded: () => void) => EventHandler[]> = {
  notifications,
  orders,
  payments,
  products,
}

/** The types that each of them handles. Use cases are bound and not called. */
export function consumedTypes(): Record<string, string[]> {
  const nothing = {} as never
  return Object.fromEntries(
    Object.entries(consumers).map(([service, createHandlers]) => [
      service,
      createHandlers(nothing, () => {}).map(({ type }) => type),
    ]),
  )
}
