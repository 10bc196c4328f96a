import type { Resolvers } from '#generated/graphql/products.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { isSku, orderable, type Product, type ReadProduct, type StockedProduct } from './domain/catalogue.ts'
import type { Context } from './loaders.ts'
import type { ProductsService } from './service.ts'

export function createResolvers(service: ProductsService): Resolvers {
  return {
    Query: {
      product: (_root, { id }, context) => byId(id, context),
      async productBySku(_root, { sku }, context) {
        const product = await bySku(sku, context)
        if (product.archivedAt) throw notFound('product')
        return product
      },
      products: (_root, args) => service.products(args),
      categories: async () => [...(await service.categories())],
    },
    Mutation: {
      async createProduct(_root, { input }, { principal }) {
        return { product: await service.createProduct(principal, input) }
      },
      async updateProduct(_root, { input }, { principal }) {
        return { product: await service.updateProduct(principal, input) }
      },
      async archiveProduct(_root, { input }, { principal }) {
        return { product: await service.archiveProduct(principal, input.productId) }
      },
      async adjustStock(_root, { input }, { principal }) {
        return { product: await service.adjustStock(principal, input) }
      },
      async createCategory(_root, { input }, { principal }) {
        return { category: await service.createCategory(principal, input) }
      },
      async updateCategory(_root, { input }, { principal }) {
        return { category: await service.updateCategory(principal, input) }
      },
      async deleteCategory(_root, { input }, { principal }) {
        await service.deleteCategory(principal, input.categoryId)
        return { deleted: true }
      },
    },
    Product: {
      __resolveReference: (reference, context) =>
        'id' in reference ? byId(reference.id, context) : bySku(reference.sku, context),
      category: ({ categoryId }) => service.category(categoryId),
      available: async (product, _args, context) => orderable(await withStock(product, context)),
      inStock: async (product, _args, context) => orderable(await withStock(product, context)) > 0,
      archived: ({ archivedAt }) => archivedAt !== null,
    },
    ProductConnection: { totalCount: ({ totalCount }) => totalCount() },
    Category: {
      __resolveReference: ({ id }) => service.category(id),
      parent: ({ parentId }) => (parentId === null ? null : service.category(parentId)),
      children: async ({ id }) => [...(await service.childrenOf(id))],
    },
  }
}

async function byId(text: string, { products }: Context): Promise<Product> {
  const id = parseId(text)
  const product = id && (await products.load(id))
  if (!product) throw notFound('product')
  return product
}

async function bySku(sku: string, { productsBySku }: Context): Promise<Product> {
  const product = isSku(sku) && (await productsBySku.load(sku))
  if (!product) throw notFound('product')
  return product
}

/** How many there are of it is read from the database, with that of all products of the request, unless it came along. */
async function withStock(product: ReadProduct, { stock }: Context): Promise<StockedProduct> {
  if ('available' in product) return product
  const found = await stock.load(product.id)
  if (!found) throw notFound('product')
  return { ...product, ...found }
}
