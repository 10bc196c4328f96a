import { Prisma } from '#generated/prisma/products/client.ts'
import type { Product } from '../domain/catalogue.ts'

export type Transaction = Prisma.TransactionClient

/** A row of products as far as the catalogue goes. */
export type ProductRow = Prisma.ProductGetPayload<{ omit: typeof stockColumns }>

/** What changes with the stock. */
export const stockColumns = {
  available: true,
  stockVersion: true,
  stockFence: true,
} as const satisfies Prisma.ProductOmit

/** The columns of a row as far as the catalogue goes. */
export const productColumns = Prisma.sql`id, sku, name, description, price_amount AS "priceAmount",
  price_currency AS "priceCurrency", category_id AS "categoryId", version, created_at AS "createdAt", updated_at AS "updatedAt",
  archived_at AS "archivedAt"`

/**
 * Any of some values, for `=`. In a query of their own PostgreSQL does not look at how many they are, and plans the statement once for
 * all numbers of them; by an array it would plan each anew that has less than ten.
 */
export function anyOf(values: readonly string[], type: 'uuid' | 'text'): Prisma.Sql {
  return type === 'uuid'
    ? Prisma.sql`ANY(ARRAY(SELECT unnest(${values}::uuid[])))`
    : Prisma.sql`ANY(ARRAY(SELECT unnest(${values}::text[])))`
}

export function toProduct({ priceAmount, priceCurrency, ...row }: ProductRow): Product {
  return { ...row, price: { amount: priceAmount, currency: priceCurrency } }
}

export function toRow({ price, ...product }: Product): ProductRow {
  return { ...product, priceAmount: price.amount, priceCurrency: price.currency }
}

/** Makes the words of names known, to be compared with mistyped ones. In one order, so that nobody waits in a circle. */
export async function addWords(tx: Transaction, names: readonly string[]): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO product_words (word)
    SELECT DISTINCT word FROM unnest(${names}::text[]) AS name, words_of(name) AS word
    WHERE length(word) BETWEEN 4 AND 32 ORDER BY word ON CONFLICT DO NOTHING`
}
