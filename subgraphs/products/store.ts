import { PrismaClient } from '#generated/prisma/products/client.ts'
import type { Database } from '#platform/database/open.ts'
import { catalogueStore } from './store/catalogue.ts'
import { stockStore } from './store/stock.ts'

/** What the products service keeps. */
export function createProductsStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })
  return {
    ...catalogueStore(prisma),
    ...stockStore(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type ProductsStore = ReturnType<typeof createProductsStore>
