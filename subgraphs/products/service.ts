import { createCatalogueUseCases } from './service/catalogue.ts'
import { createCategoryUseCases } from './service/categories.ts'
import type { ProductsDependencies } from './service/dependencies.ts'
import { createListing } from './service/listing.ts'
import { createReservations } from './service/reservations.ts'
import { createStockUseCases } from './service/stock.ts'

/** What can be done with the catalogue and its stock. */
export function createProductsService(dependencies: ProductsDependencies) {
  return {
    ...createListing(dependencies),
    ...createCatalogueUseCases(dependencies),
    ...createCategoryUseCases(dependencies),
    ...createReservations(dependencies),
    ...createStockUseCases(dependencies),
  }
}

export type ProductsService = ReturnType<typeof createProductsService>
