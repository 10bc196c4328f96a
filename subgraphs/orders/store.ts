import { PrismaClient } from '#generated/prisma/orders/client.ts'
import type { Database } from '#platform/database/open.ts'
import { claimStore } from './store/claims.ts'
import { type ErasureOptions, erasureStore } from './store/erasure.ts'
import { orderStore } from './store/orders.ts'

/** What the orders service keeps. */
export function createOrdersStore(adapter: Database['adapter'], options: ErasureOptions = {}) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })
  return {
    ...claimStore(prisma),
    ...orderStore(prisma),
    ...erasureStore(prisma, options),
    close: () => prisma.$disconnect(),
  }
}

export type OrdersStore = ReturnType<typeof createOrdersStore>
