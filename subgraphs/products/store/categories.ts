import type { PrismaClient } from '#generated/prisma/products/client.ts'
import type { Category } from '../domain/category.ts'
import type { Transaction } from './rows.ts'

/** Any number, the same for every instance. */
const treeLock = 4_017_233

/** The tree of categories. It changes in one transaction at a time, since what is allowed depends on the whole of it. */
export function categoryStore(prisma: PrismaClient) {
  return {
    /** All categories, by name. */
    findCategories: (): Promise<Category[]> => prisma.category.findMany({ orderBy: [{ name: 'asc' }, { id: 'asc' }] }),

    /** A category with all that stand in it, at any depth. None for one that is not there. */
    async categoryAndBelow(id: string): Promise<string[]> {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        WITH RECURSIVE below AS (
          SELECT id FROM categories WHERE id = ${id}::uuid
          UNION SELECT c.id FROM categories c JOIN below b ON c.parent_id = b.id
        ) SELECT id FROM below`
      return rows.map((row) => row.id)
    },

    /** Writes the category that `decide` makes, with the whole tree before it. Nothing is written when it makes none. */
    changeCategories(decide: (all: readonly Category[]) => Category | undefined): Promise<Category | undefined> {
      return prisma.$transaction(async (tx) => {
        const category = decide(await lockTree(tx))
        if (!category) return undefined
        const { id, ...data } = category
        await tx.category.upsert({ where: { id }, create: category, update: data, select: { id: true } })
        return category
      })
    },

    /** Removes a category unless `decide` throws. False where there is none. Products that are just added to it count. */
    removeCategory(id: string, decide: (all: readonly Category[], hasProducts: boolean) => void): Promise<boolean> {
      return prisma.$transaction(async (tx) => {
        const all = await lockTree(tx)
        // Waits for whoever puts a product into it.
        const [found] = await tx.$queryRaw<object[]>`SELECT id FROM categories WHERE id = ${id}::uuid FOR UPDATE`
        if (!found) return false
        const product = await tx.product.findFirst({ where: { categoryId: id }, select: { id: true } })
        decide(all, product !== null)
        await tx.category.delete({ where: { id }, select: { id: true } })
        return true
      })
    },
  }
}

async function lockTree(tx: Transaction): Promise<Category[]> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${treeLock})`
  return tx.category.findMany()
}
