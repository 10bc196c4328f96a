import type { Resolvers } from '#generated/graphql/products.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import type { Category, Product } from './domain/catalogue.ts'
import type { Context } from './loaders.ts'
import type { ProductsService } from './service.ts'

export function createResolvers(service: ProductsService): Resolvers {
  return {
    Query: {
      product: (_root, { id }, context) => byId(id, context),
      productBySku: (_root, { sku }, context) => bySku(sku, context),
      async products(_root, args) {
        const page = parsePage(args)
        return toConnection(await service.products(page.limit, page.after), page)
      },
      categories: (_root, _args, context) => context.categories(),
    },
    Product: {
      __resolveReference: (reference, context) =>
        'id' in reference ? byId(reference.id, context) : bySku(reference.sku, context),
      category: ({ categoryId }, _args, context) => category(categoryId, context),
      inStock: ({ available }) => available > 0,
    },
    Category: {
      __resolveReference: ({ id }, context) => category(id, context),
      parent: ({ parentId }, _args, context) => (parentId === null ? null : category(parentId, context)),
      async children({ id }, _args, context) {
        return (await context.categories()).filter(({ parentId }) => parentId === id)
      },
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
  const product = await productsBySku.load(sku)
  if (!product) throw notFound('product')
  return product
}

async function category(wanted: string, { categories }: Context): Promise<Category> {
  const found = (await categories()).find(({ id }) => id === wanted)
  if (!found) throw notFound('category')
  return found
}
