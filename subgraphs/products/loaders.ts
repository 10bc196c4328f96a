import { createLoader, type Loader } from '#platform/loader.ts'
import type { Principal } from '#platform/principal.ts'
import type { Product, Stock } from './domain/catalogue.ts'
import type { Reading } from './service/reading.ts'

/** What resolvers get, for one request: its caller, and loaders that hold what this caller's request read. */
export type Context = {
  readonly principal: Principal
  readonly products: Loader<Product>
  readonly productsBySku: Loader<Product>
  /** How many there are: of this moment, never remembered. */
  readonly stock: Loader<Stock>
}

export function createContext(principal: Principal, reading: Reading): Context {
  return {
    principal,
    products: createLoader(reading.byIds, ({ id }) => id),
    productsBySku: createLoader(reading.bySkus, ({ sku }) => sku),
    stock: createLoader(reading.stock, ({ id }) => id),
  }
}
