import { notFound } from '#platform/errors.ts'
import { connectionOf, parseFirst } from '#platform/paging.ts'
import type { StockedProduct } from '../domain/catalogue.ts'
import type { Category } from '../domain/category.ts'
import {
  type Cursor,
  type Listing,
  orderOf,
  type ProductFilter,
  type ProductSort,
  parseCursor,
  parseListing,
  type SearchPlan,
  toCursor,
} from '../domain/listing.ts'
import { correctedTerms, type Terms } from '../domain/search.ts'
import type { Placed, Selection } from '../store/listing.ts'
import type { ProductsDependencies } from './dependencies.ts'

export type ProductsRequest = {
  readonly first?: number | null | undefined
  readonly after?: string | null | undefined
  readonly filter?: ProductFilter | null | undefined
  readonly sort?: ProductSort | null | undefined
}

export type ProductPage = ReturnType<typeof connectionOf<{ node: StockedProduct; cursor: string }>> & {
  /** How many products there are on all pages. */
  readonly totalCount: () => Promise<number>
}

/** Matches that are ranked at the most. What finds more is no description of anything. */
const mostRanked = 2_000

/**
 * Products that a further page of a narrow search fetches at the most: a few times as many as make it a broad one, since more may
 * match by then, and since a client can make up a cursor that calls any search narrow.
 */
const mostFetched = 10_000

/** A part of a list, by which plan it was found, and how many products there are on all pages. */
type Found = {
  readonly placed: readonly Placed[]
  readonly plan?: SearchPlan
  readonly totalCount: () => Promise<number>
}

/** The catalogue as everybody reads it. */
export function createListing({ store, reading }: Pick<ProductsDependencies, 'store' | 'reading'>) {
  return {
    /** All categories, by name. */
    categories: async (): Promise<readonly Category[]> => (await reading.tree()).all,

    /** Throws NOT_FOUND. */
    async category(id: string): Promise<Category> {
      const found = await reading.category(id)
      if (!found) throw notFound('category')
      return found
    },

    /** What stands in a category, by name. */
    childrenOf: async (id: string): Promise<readonly Category[]> => (await reading.tree()).childrenOf.get(id) ?? [],

    /** The products that exist among the ids, archived ones too, with how many there are now. */
    async productsByIds(ids: readonly string[]): Promise<StockedProduct[]> {
      const [products, stocks] = await Promise.all([reading.byIds(ids), reading.stock(ids)])
      const stockOf = new Map(stocks.map((stock) => [stock.id, stock]))
      return products.flatMap((product) => {
        const stock = stockOf.get(product.id)
        return stock ? [{ ...product, ...stock }] : []
      })
    },

    /**
     * A page of the products that are for sale. Pages go on behind the last product of the one before: what does not change
     * is on exactly one, whatever else changes meanwhile. Throws BAD_USER_INPUT.
     */
    async products({ first, after, filter, sort }: ProductsRequest): Promise<ProductPage> {
      const limit = parseFirst(first)
      const listing = parseListing(filter ?? {}, sort)
      const cursor = after ? parseCursor(after, listing) : undefined
      const selection = await select(listing)
      // One more than asked for tells whether more follows.
      const found = selection && (await find(listing, selection, cursor, limit + 1))
      if (!found) return emptyPage(limit)
      const { placed, plan, totalCount } = found
      const edges = placed.map(({ product, place }) => ({
        node: product,
        cursor: toCursor(listing, { position: { place, id: product.id }, plan }),
      }))
      return {
        ...connectionOf(edges, { limit, continued: cursor !== undefined }),
        totalCount,
      }
    },
  }

  /** Undefined when it is a category's that is not there. */
  async function select({ conditions: { categoryId, ...others } }: Listing): Promise<Selection | undefined> {
    if (categoryId === undefined) return { ...others, categoryIds: undefined }
    const categoryIds = categoryId === null ? [] : await store.categoryAndBelow(categoryId)
    return categoryIds.length === 0 ? undefined : { ...others, categoryIds }
  }

  /** Undefined when a search finds nothing. */
  function find(listing: Listing, selection: Selection, cursor: Cursor | undefined, limit: number) {
    const { words, sort } = listing
    if (!words) return list(undefined)
    return cursor ? goOn(cursor.plan) : begin(words)

    async function list(plan: SearchPlan | undefined): Promise<Found> {
      const part = { order: orderOf(sort, plan), after: cursor?.position, limit }
      const placed = await store.listProducts(selection, plan?.terms, part)
      return { placed, ...(plan && { plan }), totalCount: () => store.countProducts(selection, plan?.terms) }
    }

    async function search(terms: Terms, most: number, narrow: number): Promise<Found & { matches: number }> {
      const plan = { terms, broad: false }
      const part = { order: orderOf(sort, plan), after: cursor?.position, limit, most, narrow }
      const { found, total, matches } = await store.searchProducts(selection, terms, part)
      return { placed: found, plan, totalCount: async () => total, matches }
    }

    /** Finds words as they are, else as they may have been meant. */
    async function begin(words: readonly string[]): Promise<Found | undefined> {
      if (words.length === 0) return undefined
      const asTyped = await beginWith(words.map((word) => [word]))
      if (asTyped) return asTyped
      const corrected = correctedTerms(words, await store.nearestWords(words))
      return corrected && beginWith(corrected)
    }

    async function beginWith(terms: Terms): Promise<Found | undefined> {
      const { matches, ...found } = await search(terms, mostRanked + 1, mostRanked)
      if (matches === 0) return undefined
      return matches > mostRanked ? list({ terms, broad: true }) : found
    }

    async function goOn(plan: SearchPlan | undefined): Promise<Found | undefined> {
      if (!plan) return undefined
      return plan.broad ? list(plan) : search(plan.terms, mostFetched, mostFetched)
    }
  }
}

function emptyPage(limit: number): ProductPage {
  return { ...connectionOf([], { limit, continued: false }), totalCount: async () => 0 }
}
