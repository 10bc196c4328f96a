import { Prisma, type PrismaClient } from '#generated/prisma/products/client.ts'
import type { StockedProduct } from '../domain/catalogue.ts'
import type { Listing, Order, Position, SearchPlan } from '../domain/listing.ts'
import { isUnspaced, type Terms } from '../domain/search.ts'
import { type ProductRow, productColumns, toProduct } from './rows.ts'

/** Which products. Archived ones are in no list. */
export type Selection = Omit<Listing['conditions'], 'categoryId'> & {
  /** Undefined for all categories. */
  readonly categoryIds: readonly string[] | undefined
  readonly search: SearchPlan | undefined
}

/** A product, and its place in the order it was read in. */
export type Placed = { readonly product: StockedProduct; readonly place: Position['place'] }

/** Each order with the expression that has an index, or is reckoned for the few that a search found. */
const orders: Record<Order, { place: Prisma.Sql; descending?: boolean }> = {
  RANK: { place: Prisma.sql`rank`, descending: true },
  NEWEST: { place: Prisma.sql`created_at`, descending: true },
  PRICE_ASC: { place: Prisma.sql`price_amount` },
  PRICE_DESC: { place: Prisma.sql`price_amount`, descending: true },
  NAME: { place: Prisma.sql`lower(name) COLLATE "C"` },
}

/** Lists of products, page by page. */
export function listingStore(prisma: PrismaClient) {
  return {
    /** Products in an order, behind `after`. Equal places are in the order of their ids. */
    async listProducts(
      selection: Selection,
      { order, after, limit }: { order: Order; after: Position | undefined; limit: number },
    ): Promise<Placed[]> {
      const { place, descending } = orders[order]
      const direction = descending ? Prisma.sql`DESC` : Prisma.sql`ASC`
      const rows = await prisma.$queryRaw<(ProductRow & { available: number; place: Date | Position['place'] })[]>`
        ${source(selection)}
        SELECT ${productColumns}, available, ${place} AS place
        FROM ${table(selection)} WHERE ${Prisma.join([...conditions(selection), ...behind(order, after)], ' AND ')}
        ORDER BY ${place} ${direction}, id ${direction} LIMIT ${limit}`
      return rows.map(({ place, available, ...row }) => ({
        product: { ...toProduct(row), available },
        place: place instanceof Date ? place.getTime() : place,
      }))
    },

    /** How many products there are of a selection. */
    async countProducts(selection: Selection): Promise<number> {
      const [row] = await prisma.$queryRaw<{ count: number }[]>`
        ${source(selection)}
        SELECT count(*)::int FROM ${table(selection)} WHERE ${Prisma.join(conditions(selection), ' AND ')}`
      return row?.count ?? 0
    },

    /** How many products match a search, counted as far as `most`. */
    async countMatches(terms: Terms, most: number): Promise<number> {
      const [row] = await prisma.$queryRaw<{ count: number }[]>`
        SELECT count(*)::int FROM (
          SELECT FROM products WHERE archived_at IS NULL AND ${matches(terms)} LIMIT ${most}
        ) AS found`
      return row?.count ?? 0
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

/**
 * Products that a narrow search fetches at the most: a few times as many as make it a broad one, since more may match by
 * the time of a later page, and since a client can make up a cursor that calls any search narrow.
 */
const mostFetched = 10_000

/** What a narrow search finds is fetched by its index first, so that its cost does not depend on a guess of how many. */
function source({ search }: Selection): Prisma.Sql {
  if (!search || search.broad) return Prisma.empty
  return Prisma.sql`
    WITH found AS MATERIALIZED (
      SELECT *, (1e6 * ts_rank(search, ${query(search.terms)}, 1))::int AS rank
      FROM products WHERE archived_at IS NULL AND ${matches(search.terms)} LIMIT ${mostFetched}
    )`
}

function table({ search }: Selection): Prisma.Sql {
  return search && !search.broad ? Prisma.sql`found` : Prisma.sql`products`
}

function conditions({ search, categoryIds, minPrice, maxPrice, currency, inStock }: Selection): Prisma.Sql[] {
  return [
    Prisma.sql`archived_at IS NULL`,
    ...(search?.broad ? [matches(search.terms)] : []),
    ...(categoryIds ? [Prisma.sql`category_id = ANY(${categoryIds}::uuid[])`] : []),
    ...(minPrice === undefined ? [] : [Prisma.sql`price_amount >= ${minPrice}::int`]),
    ...(maxPrice === undefined ? [] : [Prisma.sql`price_amount <= ${maxPrice}::int`]),
    ...(currency === undefined ? [] : [Prisma.sql`price_currency = ${currency}`]),
    ...(inStock === undefined ? [] : [inStock ? Prisma.sql`available > 0` : Prisma.sql`available = 0`]),
  ]
}

function behind(order: Order, after: Position | undefined): Prisma.Sql[] {
  if (!after) return []
  const { place, descending } = orders[order]
  const beyond = descending ? Prisma.sql`<` : Prisma.sql`>`
  const value = {
    RANK: () => Prisma.sql`${after.place}::int`,
    NEWEST: () => Prisma.sql`${new Date(after.place)}::timestamptz`,
    PRICE_ASC: () => Prisma.sql`${after.place}::int`,
    PRICE_DESC: () => Prisma.sql`${after.place}::int`,
    NAME: () => Prisma.sql`${after.place}::text`,
  }[order]()
  return [Prisma.sql`(${place}, id) ${beyond} (${value}, ${after.id}::uuid)`]
}

function matches(terms: Terms): Prisma.Sql {
  return Prisma.sql`search @@ ${query(terms)}`
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
