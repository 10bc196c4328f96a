import type { Resolvers } from '#generated/graphql/orders.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import { lineTotal, maySeeOrdersOf, type Order, payableUntil } from './domain/order.ts'
import type { Context } from './loaders.ts'
import type { OrdersService } from './service.ts'

export function createResolvers(service: OrdersService): Resolvers {
  return {
    Query: {
      order: (_root, { id }, context) => load(id, context),
      async orders(_root, { filter, ...args }, { principal }) {
        const page = parsePage(args)
        return toConnection(await service.orders(principal, withoutNulls(filter ?? {}), page), page)
      },
    },
    Mutation: {
      async createOrder(_root, { input }, { principal }) {
        return { order: await service.createOrder(principal, input) }
      },
      async cancelOrder(_root, { input }, { principal }) {
        return { order: await service.cancelOrder(principal, input) }
      },
      async shipOrder(_root, { input }, { principal }) {
        return { order: await service.shipOrder(principal, input) }
      },
      async deliverOrder(_root, { input }, { principal }) {
        return { order: await service.deliverOrder(principal, input.orderId) }
      },
    },
    Order: {
      __resolveReference: ({ id }, context) => load(id, context),
      customer: ({ customerId }) => ({ id: customerId }),
      items: ({ lines }) => [...lines],
      history: ({ history }) => [...history],
      payableUntil,
    },
    OrderItem: {
      product: ({ productId }) => ({ id: productId }),
      lineTotal,
    },
    User: {
      __resolveReference: ({ id }) => ({ id }),
      async orders({ id: customerId }, { status, ...args }, { principal }) {
        const page = parsePage(args)
        const orders = await service.ordersOf(principal, { customerId, status: status ?? undefined }, page)
        return toConnection(orders, page)
      },
    },
  }
}

/** An order the caller may see. Throws NOT_FOUND for one that is not there and for another's, in the same words. */
async function load(text: string, { principal, orders }: Context): Promise<Order> {
  const id = parseId(text)
  const order = id && (await orders.load(id))
  if (!order || !maySeeOrdersOf(principal, order.customerId)) throw notFound('order')
  return order
}

/** What a client left out and what it gave as null are the same. */
function withoutNulls<Input extends object>(input: Input): { [Name in keyof Input]?: NonNullable<Input[Name]> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as never
}
