import { productUpdated } from '#contracts/events.ts'
import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import {
  archiveProduct,
  type Caller,
  changeProduct,
  type NewProduct,
  type Product,
  type ProductChange,
  parseNewProduct,
  parseProductChange,
  requireCatalogueWriter,
} from '../domain/catalogue.ts'
import type { Changed } from '../store/catalogue.ts'
import type { ProductsDependencies } from './dependencies.ts'

/** What is for sale, as the shop's managers change it. Everything here needs the scope `catalog:write`. */
export function createCatalogueUseCases({ store, reading, now, newId }: ProductsDependencies) {
  async function change(text: string, decide: (product: Product) => Product | undefined): Promise<Product> {
    const id = parseId(text)
    const product = id && (await store.changeProduct(id, (before) => told(decide(before))))
    if (!product) throw notFound('product')
    await reading.forget(product)
    return product
  }

  return {
    /** Adds a product, of which nothing is in stock yet. Throws BAD_USER_INPUT, NOT_FOUND, UNAUTHENTICATED or FORBIDDEN. */
    async createProduct(caller: Caller, input: NewProduct): Promise<Product> {
      requireCatalogueWriter(caller)
      const at = now()
      const product = {
        ...parseNewProduct(input),
        id: newId(),
        version: 1,
        createdAt: at,
        updatedAt: at,
        archivedAt: null,
      }
      await store.addProduct({ product, event: updated(product) })
      await reading.forget(product)
      return product
    },

    /**
     * Changes what is given of a product. Throws VERSION_CONFLICT when it has changed since the caller read it,
     * ILLEGAL_TRANSITION when it is archived, BAD_USER_INPUT, NOT_FOUND, UNAUTHENTICATED or FORBIDDEN.
     */
    async updateProduct(
      caller: Caller,
      { productId, version, ...input }: ProductChange & { productId: string; version: number },
    ): Promise<Product> {
      requireCatalogueWriter(caller)
      const wanted = parseProductChange(input)
      return change(productId, (product) => changeProduct(product, version, wanted, now()))
    },

    /**
     * Takes a product out of the catalogue for good: it is in no list, is found by no search and cannot be ordered, and what
     * has it already keeps it. Nothing happens the second time. Throws NOT_FOUND, UNAUTHENTICATED or FORBIDDEN.
     */
    async archiveProduct(caller: Caller, productId: string): Promise<Product> {
      requireCatalogueWriter(caller)
      return change(productId, (product) => archiveProduct(product, now()))
    },

    /** Forgets what is remembered of a product that changed, where whoever changed it could not: it died, or Redis was away. */
    productUpdated: (product: Pick<Product, 'id' | 'sku' | 'version'>): Promise<void> => reading.forget(product),
  }
}

function told(product: Product | undefined): Changed | undefined {
  return product && { product, event: updated(product) }
}

function updated({ id: productId, sku, name, price, categoryId, version, archivedAt }: Product) {
  return productUpdated.of({ productId, sku, name, price, categoryId, version, archived: archivedAt !== null })
}
