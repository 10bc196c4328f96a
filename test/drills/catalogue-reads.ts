import assert from 'node:assert/strict'
import type { ProductsRequest } from '../../subgraphs/products/service/listing.ts'
import type { ProductsService } from '../../subgraphs/products/service.ts'
import { bigCategories } from '../../tools/seed/big-catalogue.ts'

export type Read = () => Promise<unknown>

/** The orders of lists. */
export const sorts = ['NEWEST', 'PRICE_ASC', 'PRICE_DESC', 'NAME'] as const

/** What a page of an order is called: the first one, or the one behind so many. */
export const pageName = (sort: (typeof sorts)[number], behind: number) => `${sort}, page ${behind + 1}`

const [top, department, , kind] = bigCategories.map(({ id }) => id)

const requests: Record<string, ProductsRequest> = {
  'one category': { filter: { categoryId: kind } },
  'a category with 24 below': { filter: { categoryId: department } },
  'a category with all below': { filter: { categoryId: top } },
  'a category by price': { filter: { categoryId: department }, sort: 'PRICE_ASC' },
  'a range of prices': { filter: { minPrice: 10_000, maxPrice: 10_999 } },
  'a price that few have': { filter: { minPrice: 290_000 } },
  'a price that none has': { filter: { minPrice: 1_000_000 }, sort: 'NAME' },
  'a currency': { filter: { currency: 'CHF' } },
  'a currency that none has': { filter: { currency: 'JPY' } },
  'what is out of stock': { filter: { inStock: false } },
  'all filters': { filter: { categoryId: kind, minPrice: 1_000, maxPrice: 99_999, currency: 'EUR', inStock: true } },
  'search, one word': { filter: { search: 'guitar' } },
  'search, three words': { filter: { search: 'folding oak chair' } },
  'search, a beginning': { filter: { search: 'tamb' } },
  'search, a broad word': { filter: { search: 'brauer' } },
  'search, a character': { filter: { search: '山' } },
  'search, mistyped': { filter: { search: 'foldign guitra' } },
  'search, nothing like it': { filter: { search: 'absolutely nothing' } },
  'search by price': { filter: { search: 'guitar' }, sort: 'PRICE_ASC' },
  'search in a category': { filter: { search: 'brauer', categoryId: kind } },
}

/** What people read of the big catalogue, by name. `pages`: how many the far page of each order has before it. */
export async function createReads(service: ProductsService, pages: number): Promise<Record<string, Read>> {
  const reads: Record<string, Read> = {}
  for (const sort of sorts) {
    const after = await cursorBehind(service, { sort }, pages)
    reads[pageName(sort, 0)] = () => service.products({ sort })
    reads[pageName(sort, pages)] = () => service.products({ sort, after })
  }
  for (const [name, request] of Object.entries(requests)) reads[name] = () => service.products(request)
  return reads
}

/** The cursor behind so many pages, which are read one after the other. */
async function cursorBehind(service: ProductsService, request: ProductsRequest, pages: number): Promise<string> {
  const seen = new Set<string>()
  let after = ''
  for (let page = 0; page < pages; page += 1) {
    const { edges, pageInfo } = await service.products({ ...request, first: 20, after })
    for (const { node } of edges) seen.add(node.id)
    after = pageInfo.endCursor ?? ''
  }
  assert.equal(seen.size, 20 * pages, 'no product is on two pages')
  return after
}
