import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { type Caller, maySeeOrdersOf, type Order, type OrderFilter, requireScope } from './domain/order.ts'
import { createCreateOrder } from './service/create-order.ts'
import type { OrdersDependencies } from './service/dependencies.ts'
import { createFulfilment } from './service/fulfilment.ts'
import { createReactions } from './service/reactions.ts'

/** A page of a list, newest first. One more than asked for tells whether more follows. */
export type PageRequest = { limit: number; after: { createdAt: Date; id: string } | undefined }

/** What can be done with orders. */
export function createOrdersService(dependencies: OrdersDependencies) {
  const { store } = dependencies
  const list = (filter: OrderFilter, { limit, after }: PageRequest) =>
    store.listOrders({ filter, limit: limit + 1, after })

  return {
    createOrder: createCreateOrder(dependencies),
    ...createFulfilment(dependencies),
    ...createReactions(dependencies),

    /** For peers, which decide themselves who may see it. */
    async orderById(id: string): Promise<Order | undefined> {
      return (await store.findOrders([id]))[0]
    },
    ordersOfCustomer: (customerId: string, page: PageRequest): Promise<Order[]> => list({ customerId }, page),

    /** The orders of one customer. Throws NOT_FOUND unless the caller may see them. */
    async ordersOf(
      viewer: Caller,
      filter: Pick<OrderFilter, 'status'> & { customerId: string },
      page: PageRequest,
    ): Promise<Order[]> {
      if (!maySeeOrdersOf(viewer, filter.customerId)) throw notFound('user')
      return list(filter, page)
    },

    /** All orders, or those of a filter. Needs the scope `orders:read`. Throws UNAUTHENTICATED or FORBIDDEN. */
    async orders(viewer: Caller, filter: OrderFilter, page: PageRequest): Promise<Order[]> {
      requireScope(viewer, 'orders:read')
      const { customerId: text } = filter
      const customerId = text === undefined ? undefined : parseId(text)
      if (text !== undefined && customerId === undefined) return []
      return list({ ...filter, customerId }, page)
    },
  }
}

export type OrdersService = ReturnType<typeof createOrdersService>
