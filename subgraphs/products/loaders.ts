import DataLoader from 'dataloader'
import type { Principal } from '#platform/principal.ts'
import type { Category, Product } from './domain.ts'
import type { ProductsStore } from './store.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly products: DataLoader<string, Product | undefined>
  readonly productsBySku: DataLoader<string, Product | undefined>
  /** All categories: they are few, and a tree is asked for from both ends. */
  categories(): Promise<Category[]>
}

export function createContext(principal: Principal, store: ProductsStore): Context {
  let categories: Promise<Category[]> | undefined
  return {
    principal,
    products: new DataLoader(async (ids) => pick(ids, await store.findProducts(ids), ({ id }) => id)),
    productsBySku: new DataLoader(async (skus) => pick(skus, await store.findProductsBySku(skus), ({ sku }) => sku)),
    categories() {
      categories ??= store.findCategories()
      return categories
    },
  }
}

function pick<Item>(
  keys: readonly string[],
  items: readonly Item[],
  keyOf: (item: Item) => string,
): (Item | undefined)[] {
  const byKey = new Map(items.map((item) => [keyOf(item), item]))
  return keys.map((key) => byKey.get(key))
}
