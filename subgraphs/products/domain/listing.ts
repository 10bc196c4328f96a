import { createHash } from 'node:crypto'
import { badInput } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { largestAmount, parseCurrency } from './catalogue.ts'
import { areTerms, parseWords, type Terms } from './search.ts'

/** Lists of products: what is asked for, in which order, and where a page begins. */

export type ProductSort = 'RELEVANCE' | 'PRICE_ASC' | 'PRICE_DESC' | 'NEWEST' | 'NAME'

export type ProductFilter = {
  readonly search?: string | null | undefined
  readonly categoryId?: string | null | undefined
  readonly minPrice?: number | null | undefined
  readonly maxPrice?: number | null | undefined
  readonly currency?: string | null | undefined
  readonly inStock?: boolean | null | undefined
}

export type Listing = {
  /** The words that are searched for. Undefined when it is no search; empty when nothing can be found. */
  readonly words: readonly string[] | undefined
  readonly conditions: {
    /** Undefined for all; an id that no category can have is null. */
    readonly categoryId: string | null | undefined
    /** Minor units. */
    readonly minPrice: number | undefined
    readonly maxPrice: number | undefined
    readonly currency: string | undefined
    readonly inStock: boolean | undefined
  }
  readonly sort: ProductSort
}

/** What is asked for, by the rules. Without a search there is no relevance: then the newest come first. Throws BAD_USER_INPUT. */
export function parseListing(filter: ProductFilter, sort: ProductSort | null | undefined): Listing {
  const words = filter.search?.trim() ? parseWords(filter.search) : undefined
  const minPrice = parseBound('minPrice', filter.minPrice)
  const maxPrice = parseBound('maxPrice', filter.maxPrice)
  if (minPrice !== undefined && maxPrice !== undefined && minPrice > maxPrice) {
    throw badInput('filter.maxPrice', 'The highest price is below the lowest.')
  }
  const wanted = sort ?? 'RELEVANCE'
  return {
    words,
    conditions: {
      categoryId: filter.categoryId == null ? undefined : (parseId(filter.categoryId) ?? null),
      minPrice,
      maxPrice,
      currency: filter.currency == null ? undefined : parseCurrency('filter.currency', filter.currency),
      inStock: filter.inStock ?? undefined,
    },
    sort: wanted === 'RELEVANCE' && !words ? 'NEWEST' : wanted,
  }
}

function parseBound(name: 'minPrice' | 'maxPrice', amount: number | null | undefined): number | undefined {
  if (amount == null) return undefined
  if (amount < 0 || amount > largestAmount) throw badInput(`filter.${name}`, `A price is 0 to ${largestAmount}.`)
  return amount
}

/** How a search is carried out. Its pages keep to what the first one found best, or they would not be pages of one list. */
export type SearchPlan = {
  readonly terms: Terms
  /** So many match that words tell them apart no longer: relevance is then the newest first. */
  readonly broad: boolean
}

export type Order = 'RANK' | Exclude<ProductSort, 'RELEVANCE'>

/** By what a listing is sorted. */
export function orderOf(sort: ProductSort, plan: SearchPlan | undefined): Order {
  if (sort !== 'RELEVANCE') return sort
  return plan && !plan.broad ? 'RANK' : 'NEWEST'
}

/** Where a page begins: behind the product of this id, which has this place in the order. */
export type Position = { readonly place: number | string; readonly id: string }

export type Cursor = { readonly position: Position; readonly plan: SearchPlan | undefined }

/** Opaque to clients. It continues this listing and no other. */
export function toCursor(listing: Listing, { position, plan }: Cursor): string {
  const search = plan ? [plan.broad ? 1 : 0, plan.terms] : []
  return Buffer.from(JSON.stringify([markOf(listing), position.place, position.id, ...search])).toString('base64url')
}

/** Throws BAD_USER_INPUT for what is no cursor, and for one of another listing. */
export function parseCursor(text: string, listing: Listing): Cursor {
  const [mark, place, id, broad, terms] = decoded(text)
  if (mark !== markOf(listing)) throw badInput('after', 'This is not a cursor of this list.')
  const isPlan = listing.words ? (broad === 0 || broad === 1) && areTerms(terms) : terms === undefined
  const plan = areTerms(terms) ? { terms, broad: broad === 1 } : undefined
  if (!isPlan || !isPlace(orderOf(listing.sort, plan), place) || typeof id !== 'string' || parseId(id) !== id) {
    throw badInput('after', 'This is not a cursor of this list.')
  }
  return { position: { place, id }, plan }
}

/** The last millisecond of the year 9999. */
const largestTime = 253_402_300_799_999

/** Whether something is a place in an order that the database can compare with. */
function isPlace(order: Order, place: unknown): place is Position['place'] {
  if (order === 'NAME') {
    return typeof place === 'string' && place.length <= 1_000 && place.isWellFormed() && !place.includes('\0')
  }
  const largest = order === 'NEWEST' ? largestTime : largestAmount
  return typeof place === 'number' && Number.isInteger(place) && place >= 0 && place <= largest
}

function decoded(text: string): unknown[] {
  try {
    const value: unknown = text.length <= 8_000 ? JSON.parse(Buffer.from(text, 'base64url').toString()) : undefined
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

/** Tells listings apart. */
function markOf({ words, conditions, sort }: Listing): string {
  const { categoryId, minPrice, maxPrice, currency, inStock } = conditions
  const parts = [sort, words, categoryId, minPrice, maxPrice, currency, inStock].map((part) => part ?? null)
  // An id that no category has, and no category, are different listings.
  const text = JSON.stringify([parts, categoryId === undefined])
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}
