import type { Category, Product } from '../domain/catalogue.ts'
import type { ProductsDependencies } from './dependencies.ts'

/** The catalogue as everybody reads it. */
export function createListing({ store }: Pick<ProductsDependencies, 'store'>) {
  return {
    categories: (): Promise<Category[]> => store.findCategories(),

    /** One more than asked for tells whether more follows. */
    products: (limit: number, after: { createdAt: Date; id: string } | undefined): Promise<Product[]> =>
      store.listProducts(limit + 1, after),

    productsByIds: (ids: readonly string[]): Promise<Product[]> => store.findProducts(ids),
  }
}
