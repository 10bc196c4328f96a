import type { Cache, Caches } from '#platform/cache.ts'
import { type Product, reviveProduct } from '../domain/catalogue.ts'
import type { ProductsStore } from '../store.ts'

export type ReadingOptions = {
  store: ProductsStore
  caches: Caches
  /** How long it is remembered. Read whenever something is. */
  seconds: () => number
}

/**
 * What the catalogue says of products, remembered for a while: read from the database once for all who ask, and forgotten
 * when it changes. How many there are of them is not part of it.
 */
export function createReading({ store, caches, seconds }: ReadingOptions) {
  const common = { seconds, versionOf: ({ version }: Product) => version, parse: reviveProduct }
  const byId: Cache<Product> = caches.cache({
    ...common,
    name: 'products',
    load: store.findProducts,
    idOf: ({ id }) => id,
  })
  const bySku: Cache<Product> = caches.cache({
    ...common,
    name: 'products_by_sku',
    load: store.findProductsBySku,
    idOf: ({ sku }) => sku,
  })

  return {
    /** The products that exist among the ids, archived ones too. */
    byIds: byId.getMany,
    /** The products that exist among the SKUs, archived ones too. */
    bySkus: bySku.getMany,
    /**
     * Forgets what is remembered of a product that has this version now, which is committed. Who reads it afterwards gets
     * this version or a newer one.
     */
    async forget({ id, sku, version }: Pick<Product, 'id' | 'sku' | 'version'>): Promise<void> {
      await Promise.all([byId.invalidate(id, version), bySku.invalidate(sku, version)])
    },
  }
}

export type Reading = ReturnType<typeof createReading>
