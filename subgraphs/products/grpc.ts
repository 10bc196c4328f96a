import type { Product as ProductMessage } from '#generated/grpc/products/v1/Product.ts'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import { badInput, notFound } from '#platform/errors.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import { orderable, type StockedProduct } from './domain/catalogue.ts'
import type { ProductsService } from './service.ts'

const mostIds = 100

export function createRpcHandlers(service: ProductsService): RpcHandlers<ProductServiceDefinition> {
  return {
    GetProduct: {
      callers: ['orders', 'notifications'],
      async handle({ id }) {
        const [product] = await service.productsByIds([parseUuid('id', id)])
        if (!product) throw notFound('product')
        return toMessage(product)
      },
    },
    GetProducts: {
      callers: ['orders'],
      async handle({ ids }) {
        if (ids.length > mostIds) throw badInput('ids', `At most ${mostIds} ids.`)
        const found = await service.productsByIds(ids.flatMap((id) => parseId(id) ?? []))
        const byId = new Map(found.map((product) => [product.id, product]))
        return { products: ids.flatMap((id) => byId.get(id.toLowerCase()) ?? []).map(toMessage) }
      },
    },
    ReserveStock: {
      callers: ['orders'],
      async handle({ orderId, items }) {
        const { expiresAt, lines } = await service.reserve(parseUuid('orderId', orderId), items)
        return { orderId, expiresAt: expiresAt.toISOString(), lines: [...lines] }
      },
    },
    CommitReservation: {
      callers: ['orders'],
      async handle({ orderId }) {
        await service.commit(parseUuid('orderId', orderId))
        return {}
      },
    },
    ReleaseReservation: {
      callers: ['orders'],
      async handle({ orderId }) {
        await service.release(parseUuid('orderId', orderId))
        return {}
      },
    },
    UpdateStock: {
      callers: ['orders'],
      async handle(input, { principal }) {
        return toMessage(await service.adjustStock(await principal(), input))
      },
    },
  }
}

function toMessage(product: StockedProduct): ProductMessage {
  const { id, sku, name, price, archivedAt } = product
  return { id, sku, name, price, available: orderable(product), archived: archivedAt !== null }
}

function parseUuid(field: string, text: string): string {
  const id = parseId(text)
  if (!id) throw badInput(field, 'An id is a UUID.')
  return id
}
