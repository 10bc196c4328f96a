import { Prisma, type PrismaClient } from '#generated/prisma/products/client.ts'
import type { StockedProduct } from '../domain/catalogue.ts'
import type { Listing, Order, Position } from '../domain/listing.ts'
import { isUnspaced, type Terms } from '../domain/search.ts'
import { type ProductRow, productColumns, toProduct } from './rows.ts'

/** Which products. Archived ones are in no list. */
export type Selection = Omit<Listing['conditions'], 'categoryId'> & {
  /** Undefined for all categories. */
  readonly categoryIds: readonly string[] | undefined
}

/** What of a list is asked for. */
export type Part = {
  readonly order: Order
  /** Behind which place it begins. */
  readonly after: Position | undefined
  readonly limit: number
}

/** A product, and its place in the order it was read in. */
export type Placed = { readonly product: StockedProduct; readonly place: Position['place'] }

/** Each order with the expression that has an index, or for `RANK` is reckoned of the few that a search found. */
const orders: Record<Order, { value: Prisma.Sql; descending?: boolean }> = {
  RANK: { value: Prisma.sql`(1e6 * ts_rank(search, (SELECT query FROM wanted), 1))::int`, descending: true },
  NEWEST: { value: Prisma.sql`created_at`, descending: true },
  PRICE_ASC: { value: Prisma.sql`price_amount` },
  PRICE_DESC: { value: Prisma.sql`price_amount`, descending: true },
  NAME: { value: Prisma.sql`lower(name) COLLATE "C"` },
}

/** Lists of products, page by page. Equal places are in the order of their ids. */
export function listingStore(prisma: PrismaClient) {
  return {
    /** A part of all products of a selection, or of those in which words occur: by the index of its order, which is not `RANK`. */
    async listProducts(
      selection: Selection,
      terms: Terms | undefined,
      { order, after, limit }: Part,
    ): Promise<Placed[]> {
      const { value } = orders[order]
      const [row] = await prisma.$queryRaw<{ page: string | null }[]>`
        SELECT json_agg(row)::text AS page FROM (
          SELECT ${productColumns}, available, ${value} AS place FROM products
          WHERE ${listed(selection, terms)}${behind(value, order, after)} ORDER BY ${sorted(value, order)} LIMIT ${limit}
        ) AS row`
      return toPlaced(row?.page, order)
    },

    /** How many products those are. */
    async countProducts(selection: Selection, terms: Terms | undefined): Promise<number> {
      const [row] = await prisma.$queryRaw<{ count: number }[]>`
        SELECT count(*)::int FROM products WHERE ${listed(selection, terms)}`
      return row?.count ?? 0
    },

    /**
     * A part of what a search finds; how many products match it, counted as far as `most`; and how many of these are of the selection.
     * Where more match than `narrow` none is ranked, and no part is read.
     *
     * Matches are fetched by their index first, so that the cost does not depend on a guess of how many they are. The query is asked
     * for as a query of its own: then PostgreSQL guesses the same for every search, and plans the statement once.
     */
    async searchProducts(
      selection: Selection,
      terms: Terms,
      { order, after, limit, most, narrow }: Part & { most: number; narrow: number },
    ): Promise<{ matches: number; total: number; found: Placed[] }> {
      const place = Prisma.sql`place`
      const matching = Prisma.sql`archived_at IS NULL AND search @@ (SELECT query FROM wanted)`
      const [row] = await prisma.$queryRaw<{ matches: number; total: number; page: string | null }[]>`
        WITH wanted AS MATERIALIZED (SELECT ${query(terms)} AS query),
        counted AS MATERIALIZED (
          SELECT count(*)::int AS matches FROM (SELECT FROM products WHERE ${matching} LIMIT ${most}) AS matching
        ), found AS MATERIALIZED (
          SELECT id, ${orders[order].value} AS place, ${listed(selection)} AS chosen FROM products
          WHERE ${matching} AND (SELECT matches FROM counted) <= ${narrow} LIMIT ${most}
        ), page AS (
          SELECT id, place FROM found WHERE chosen${behind(place, order, after)} ORDER BY ${sorted(place, order)} LIMIT ${limit}
        )
        SELECT matches, (SELECT count(*)::int FROM found WHERE chosen) AS total, (
          SELECT json_agg(row)::text FROM (
            SELECT product.*, place FROM page, LATERAL (
              SELECT ${productColumns}, available FROM products WHERE products.id = page.id OFFSET 0
            ) AS product ORDER BY ${sorted(place, order)}
          ) AS row
        ) AS page FROM counted`
      return { matches: row?.matches ?? 0, total: row?.total ?? 0, found: toPlaced(row?.page, order) }
    },

    /** For each word the words of the catalogue that are like it, the likest first. None where pg_trgm is missing. */
    async nearestWords(words: readonly string[]): Promise<string[][]> {
      const rows = await prisma.$queryRaw<{ near: string[] }[]>`
        SELECT ARRAY(SELECT nearest_words(wanted)) AS near
        FROM unnest(${words}::text[]) WITH ORDINALITY AS w (wanted, position) ORDER BY position`
      return rows.map(({ near }) => near)
    },
  }
}

function listed(
  { categoryIds, minPrice, maxPrice, currency, inStock }: Selection,
  terms?: Terms | undefined,
): Prisma.Sql {
  const conditions = [
    Prisma.sql`archived_at IS NULL`,
    ...(terms ? [Prisma.sql`search @@ ${query(terms)}`] : []),
    ...(categoryIds ? [Prisma.sql`category_id = ANY(${categoryIds}::uuid[])`] : []),
    ...(minPrice === undefined ? [] : [Prisma.sql`price_amount >= ${minPrice}::int`]),
    ...(maxPrice === undefined ? [] : [Prisma.sql`price_amount <= ${maxPrice}::int`]),
    ...(currency === undefined ? [] : [Prisma.sql`price_currency = ${currency}`]),
    ...(inStock === undefined ? [] : [inStock ? Prisma.sql`available > 0` : Prisma.sql`available = 0`]),
  ]
  return Prisma.join(conditions, ' AND ')
}

function sorted(place: Prisma.Sql, order: Order): Prisma.Sql {
  return orders[order].descending ? Prisma.sql`${place} DESC, id DESC` : Prisma.sql`${place} ASC, id ASC`
}

/** A further condition: that something stands behind a position. */
function behind(place: Prisma.Sql, order: Order, after: Position | undefined): Prisma.Sql {
  if (!after) return Prisma.empty
  const beyond = orders[order].descending ? Prisma.sql`<` : Prisma.sql`>`
  const value = {
    RANK: () => Prisma.sql`${after.place}::int`,
    NEWEST: () => Prisma.sql`${new Date(after.place)}::timestamptz`,
    PRICE_ASC: () => Prisma.sql`${after.place}::int`,
    PRICE_DESC: () => Prisma.sql`${after.place}::int`,
    NAME: () => Prisma.sql`${after.place}::text`,
  }[order]()
  return Prisma.sql` AND (${place}, id) ${beyond} (${value}, ${after.id}::uuid)`
}

type PageRow = Omit<ProductRow, 'createdAt' | 'updatedAt' | 'archivedAt'> & {
  readonly createdAt: string
  readonly updatedAt: string
  readonly archivedAt: string | null
  readonly available: number
  readonly place: Position['place']
}

/** The rows of a page, which come as one JSON text: that takes a third of the time that as many values take. */
function toPlaced(page: string | null | undefined, order: Order): Placed[] {
  const rows: PageRow[] = page ? JSON.parse(page) : []
  return rows.map(({ place, available, createdAt, updatedAt, archivedAt, ...row }) => {
    const times = {
      createdAt: new Date(createdAt),
      updatedAt: new Date(updatedAt),
      archivedAt: archivedAt === null ? null : new Date(archivedAt),
    }
    const product = { ...toProduct({ ...row, ...times }), available }
    return { product, place: order === 'NEWEST' ? times.createdAt.getTime() : place }
  })
}

function query(terms: Terms): Prisma.Sql {
  return Prisma.sql`to_tsquery('simple', ${queryText(terms)})`
}

/**
 * A search in PostgreSQL's words: all places, of each one word, the last also as the beginning of a word, since it may
 * still be being typed. Words are letters and digits alone, so that nothing in them has a meaning of its own.
 * https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY
 */
function queryText(terms: Terms): string {
  const places = terms.map((words, index) => {
    const suffix = index === terms.length - 1 ? ':*' : ''
    const alternatives = words.map((word) =>
      isUnspaced(word) ? `(${Array.from(word, (character) => `'${character}'`).join(' <-> ')})` : `'${word}'${suffix}`,
    )
    return `(${alternatives.join(' | ')})`
  })
  return places.join(' & ')
}
