import type { Cache, Caches } from '#platform/cache.ts'
import type { Gather } from '#platform/gatherer.ts'
import { type Product, reviveProduct, type Stock } from '../domain/catalogue.ts'
import type { ProductsStore } from '../store.ts'
import { createTree } from './tree.ts'

export type ReadingOptions = {
  store: ProductsStore
  caches: Caches
  /** Makes one read of what different requests ask for at once. */
  gather: Gather
  /** How long it is remembered. Read whenever something is. */
  seconds: () => number
  /** Milliseconds of a clock that never goes back, by which the tree of categories is remembered. */
  clock?: () => number
}

/**
 * What the catalogue says of products, remembered for a while: read from the database once for all who ask, and forgotten
 * when it changes. How many there are of them is of the moment in which it is asked for.
 */
export function createReading({ store, caches, gather, seconds, clock }: ReadingOptions) {
  const common = { seconds, versionOf: ({ version }: Product) => version, parse: reviveProduct }
  const byId: Cache<Product> = caches.cache({
    ...common,
    name: 'products',
    load: gather(store.findProducts, ({ id }) => id),
    idOf: ({ id }) => id,
  })
  const bySku: Cache<Product> = caches.cache({
    ...common,
    name: 'products_by_sku',
    load: gather(store.findProductsBySku, ({ sku }) => sku),
    idOf: ({ sku }) => sku,
  })

  return {
    ...createTree({ store, ...(clock && { clock }) }),
    /** How many there are of the products that exist among the ids. Never remembered. */
    stock: gather<Stock>(store.findStock, ({ id }) => id),
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
