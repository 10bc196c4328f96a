import { PrismaClient } from '#generated/prisma/products/client.ts'
import type { Database } from '#platform/database/open.ts'
import { catalogueStore } from './store/catalogue.ts'
import { categoryStore } from './store/categories.ts'
import { listingStore } from './store/listing.ts'
import { reservationStore } from './store/reservations.ts'
import { stockStore } from './store/stock.ts'

/** What the products service keeps. */
export function createProductsStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })
  return {
    ...catalogueStore(prisma),
    ...categoryStore(prisma),
    ...listingStore(prisma),
    ...reservationStore(prisma),
    ...stockStore(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type ProductsStore = ReturnType<typeof createProductsStore>
