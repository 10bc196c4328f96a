import type { ProductsStore } from '../store.ts'

export type ProductsDependencies = {
  store: ProductsStore
  /** Milliseconds that items are held for an order. */
  holdTime: number
  now: () => Date
  newId: () => string
}
