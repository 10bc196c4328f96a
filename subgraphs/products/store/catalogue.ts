import type { PrismaClient } from '#generated/prisma/products/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import { appendToOutbox, type NewEvent } from '#platform/outbox.ts'
import { noSuchCategory, type Product, type Stock, type StockedProduct, takenSku } from '../domain/catalogue.ts'
import type { Category } from '../domain/category.ts'
import {
  addWords,
  anyOf,
  type ProductRow,
  productColumns,
  stockColumns,
  type Transaction,
  toProduct,
  toRow,
} from './rows.ts'

/** What becomes of a product, and the event that tells of it. */
export type Changed = { readonly product: Product; readonly event: NewEvent }

/** What is for sale. */
export function catalogueStore(prisma: PrismaClient) {
  return {
    /** The products that exist among the ids, archived ones too. */
    async findProducts(ids: readonly string[]): Promise<Product[]> {
      const rows = await prisma.$queryRaw<ProductRow[]>`
        SELECT ${productColumns} FROM products WHERE id = ${anyOf(ids, 'uuid')}`
      return rows.map(toProduct)
    },

    /** The products that exist among the SKUs, archived ones too. */
    async findProductsBySku(skus: readonly string[]): Promise<Product[]> {
      const rows = await prisma.$queryRaw<ProductRow[]>`
        SELECT ${productColumns} FROM products WHERE sku = ${anyOf(skus, 'text')}`
      return rows.map(toProduct)
    },

    /** How many there are of the products that exist among the ids. */
    findStock: (ids: readonly string[]): Promise<Stock[]> =>
      prisma.$queryRaw`SELECT id, available FROM products WHERE id = ${anyOf(ids, 'uuid')}`,

    /** Adds a product, of which there are none, and tells of it. Throws BAD_USER_INPUT for a SKU that is taken, and NOT_FOUND for its category. */
    async addProduct({ product, event }: Changed): Promise<void> {
      try {
        await prisma.$transaction(async (tx) => {
          await keepCategory(tx, product.categoryId)
          await tx.product.create({ data: { ...toRow(product), available: 0 }, select: { id: true } })
          await addWords(tx, [product.name])
          await appendToOutbox(tx, [{ ...event, sequence: product.version }], product.updatedAt)
        })
      } catch (error) {
        throw isUniqueViolation(error, 'products_sku_key') ? takenSku() : error
      }
    },

    /**
     * Locks a product, lets `decide` say what becomes of it, and writes that with its event. Nothing is written when that is
     * nothing. Undefined where there is no such product. Throws NOT_FOUND for a category that is not there.
     */
    changeProduct(id: string, decide: (product: Product) => Changed | undefined): Promise<Product | undefined> {
      return prisma.$transaction(async (tx) => {
        await tx.$queryRaw`SELECT FROM products WHERE id = ${id}::uuid FOR NO KEY UPDATE`
        const row = await tx.product.findUnique({ where: { id }, omit: stockColumns })
        if (!row) return undefined
        const before = toProduct(row)
        const changed = decide(before)
        if (!changed) return before
        const { product, event } = changed
        if (product.categoryId !== before.categoryId) await keepCategory(tx, product.categoryId)
        const { id: _, ...data } = toRow(product)
        await tx.product.update({ where: { id }, data, select: { id: true } })
        if (product.name !== before.name) await addWords(tx, [product.name])
        await appendToOutbox(tx, [{ ...event, sequence: product.version }], product.updatedAt)
        return product
      })
    },

    /** Adds categories and products with their first stock, except those that are there. */
    async addCatalogue(
      categories: readonly Category[],
      products: readonly Omit<StockedProduct, 'archivedAt'>[],
    ): Promise<number> {
      const rows = products.map(({ available, ...product }) => ({
        ...toRow({ ...product, archivedAt: null }),
        available,
      }))
      return prisma.$transaction(async (tx) => {
        await tx.category.createMany({ data: [...categories], skipDuplicates: true })
        const added = await tx.$queryRaw<object[]>`
          WITH added AS (
            INSERT INTO products (id, sku, name, description, price_amount, price_currency, category_id, available, version,
              created_at, updated_at)
            SELECT id, sku, name, description, "priceAmount", "priceCurrency", "categoryId", available, version, "createdAt",
              "updatedAt"
            FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r (id uuid, sku text, name text, description text,
              "priceAmount" int, "priceCurrency" text, "categoryId" uuid, available int, version int,
              "createdAt" timestamptz, "updatedAt" timestamptz)
            ON CONFLICT DO NOTHING RETURNING id, available
          ), stocked AS (
            INSERT INTO stock_entries (product_id, delta, held, reason, reference, actor, at)
            SELECT id, available, 0, 'INITIAL', 'seed', 'seed', ${new Date()} FROM added WHERE available > 0
          )
          SELECT id FROM added`
        await addWords(tx, [...new Set(products.map(({ name }) => name))])
        return added.length
      }, bulk)
    },
  }
}

/** Of many products at once, for which nobody waits: on a busy machine they take longer than what is asked in a request. */
const bulk = { timeout: 60_000, maxWait: 10_000 }

/** Sees to it that a category is there until the transaction ends. Throws NOT_FOUND. */
async function keepCategory(tx: Transaction, id: string): Promise<void> {
  const [found] = await tx.$queryRaw<object[]>`SELECT id FROM categories WHERE id = ${id}::uuid FOR KEY SHARE`
  if (!found) throw noSuchCategory('categoryId')
}
