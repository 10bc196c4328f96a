import type { PrismaClient } from '#generated/prisma/products/client.ts'
import type { Category, Product } from '../domain/catalogue.ts'
import { changeStock, toProduct } from './rows.ts'

/** What is for sale, and where it stands. */
export function catalogueStore(prisma: PrismaClient) {
  return {
    async findProducts(ids: readonly string[]): Promise<Product[]> {
      const rows = await prisma.product.findMany({ where: { id: { in: [...ids] } } })
      return rows.map(toProduct)
    },

    async findProductsBySku(skus: readonly string[]): Promise<Product[]> {
      const rows = await prisma.product.findMany({ where: { sku: { in: [...skus] } } })
      return rows.map(toProduct)
    },

    /** Newest first, behind `after`. */
    async listProducts(limit: number, after: { createdAt: Date; id: string } | undefined): Promise<Product[]> {
      const rows = await prisma.product.findMany({
        ...(after && {
          where: { OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }] },
        }),
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
      })
      return rows.map(toProduct)
    },

    findCategories: (): Promise<Category[]> => prisma.category.findMany({ orderBy: { name: 'asc' } }),

    /** Adds categories and products with their first stock, except those that are there. */
    async addCatalogue(categories: readonly Category[], products: readonly Product[]): Promise<number> {
      return prisma.$transaction(async (tx) => {
        await tx.category.createMany({ data: [...categories], skipDuplicates: true })
        const data = products.map(({ price, ...product }) => ({
          ...product,
          available: 0,
          priceAmount: price.amount,
          priceCurrency: price.currency,
        }))
        const added = await tx.product.createManyAndReturn({ data, skipDuplicates: true, select: { id: true } })
        const fresh = new Set(added.map(({ id }) => id))
        const stocked = products.filter(({ id, available }) => fresh.has(id) && available > 0)
        const changes = stocked.map(({ id, available }) => ({ productId: id, delta: available }))
        await changeStock(tx, changes, { reason: 'INITIAL', reference: 'seed', at: new Date() })
        return fresh.size
      })
    },
  }
}
