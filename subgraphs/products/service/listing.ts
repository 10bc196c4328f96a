import { notFound } from '#platform/errors.ts'
import { connectionOf, parseFirst } from '#platform/paging.ts'
import type { StockedProduct } from '../domain/catalogue.ts'
import type { Category } from '../domain/category.ts'
import {
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
import type { Selection } from '../store/listing.ts'
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
      const plan = cursor ? cursor.plan : listing.words && (await planSearch(listing.words))
      if (listing.words && !plan) return emptyPage(limit)
      const selection = await select(listing, plan)
      if (selection.categoryIds?.length === 0) return emptyPage(limit)
      // One more than asked for tells whether more follows.
      const found = await store.listProducts(selection, {
        order: orderOf(listing.sort, plan),
        after: cursor?.position,
        limit: limit + 1,
      })
      const edges = found.map(({ product, place }) => ({
        node: product,
        cursor: toCursor(listing, { position: { place, id: product.id }, plan }),
      }))
      return {
        ...connectionOf(edges, { limit, continued: cursor !== undefined }),
        totalCount: () => store.countProducts(selection),
      }
    },
  }

  /** How to find words: as they are, else as they may have been meant. Undefined when either finds nothing. */
  async function planSearch(words: readonly string[]): Promise<SearchPlan | undefined> {
    if (words.length === 0) return undefined
    const asTyped = await planTerms(words.map((word) => [word]))
    if (asTyped) return asTyped
    const corrected = correctedTerms(words, await store.nearestWords(words))
    return corrected && planTerms(corrected)
  }

  async function planTerms(terms: Terms): Promise<SearchPlan | undefined> {
    const count = await store.countMatches(terms, mostRanked + 1)
    return count > 0 ? { terms, broad: count > mostRanked } : undefined
  }

  async function select({ conditions }: Listing, search: SearchPlan | undefined): Promise<Selection> {
    const { categoryId, ...others } = conditions
    if (categoryId === undefined) return { ...others, search, categoryIds: undefined }
    return { ...others, search, categoryIds: categoryId === null ? [] : await store.categoryAndBelow(categoryId) }
  }
}

function emptyPage(limit: number): ProductPage {
  return { ...connectionOf([], { limit, continued: false }), totalCount: async () => 0 }
}
