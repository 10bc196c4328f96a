import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import { badInput } from '#platform/errors.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import { orderable } from './domain/catalogue.ts'
import type { ProductsService } from './service.ts'

const mostIds = 100

export function createRpcHandlers(service: ProductsService): RpcHandlers<ProductServiceDefinition> {
  return {
    GetProducts: {
      callers: ['orders'],
      async handle({ ids }) {
        if (ids.length > mostIds) throw badInput('ids', `At most ${mostIds} ids.`)
        const found = await service.productsByIds(ids.flatMap((id) => parseId(id) ?? []))
        const byId = new Map(found.map((product) => [product.id, product]))
        const products = ids.flatMap((id) => byId.get(id.toLowerCase()) ?? [])
        return {
          products: products.map((product) => {
            const { id, sku, name, price } = product
            return { id, sku, name, price, available: orderable(product) }
          }),
        }
      },
    },
    ReserveStock: {
      callers: ['orders'],
      async handle({ orderId, items }) {
        const { expiresAt, lines } = await service.reserve(parseOrderId(orderId), items)
        return { orderId, expiresAt: expiresAt.toISOString(), lines: [...lines] }
      },
    },
    ReleaseReservation: {
      callers: ['orders'],
      async handle({ orderId }) {
        await service.release(parseOrderId(orderId))
        return {}
      },
    },
  }
}

function parseOrderId(text: string): string {
  const id = parseId(text)
  if (!id) throw badInput('orderId', 'An order id is a UUID.')
  return id
}
