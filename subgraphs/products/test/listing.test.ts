import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import {
  orderOf,
  type ProductFilter,
  type ProductSort,
  parseCursor,
  parseListing,
  toCursor,
} from '../domain/listing.ts'

const refused = (field: string) => ({ code: 'BAD_USER_INPUT', details: { field } })
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const id = randomUUID()
const plan = { terms: [['chair']], broad: false }

test('a filter that breaks a rule is refused, with the field', () => {
  const bad: [string, ProductFilter][] = [
    ['filter.minPrice', { minPrice: -1 }],
    ['filter.minPrice', { minPrice: 2 ** 31 }],
    ['filter.maxPrice', { maxPrice: -1 }],
    ['filter.maxPrice', { minPrice: 2, maxPrice: 1 }],
    ['filter.currency', { currency: 'eur' }],
    ['filter.currency', { currency: '' }],
  ]
  for (const [field, filter] of bad) assert.throws(() => parseListing(filter, undefined), refused(field))
})

test('without a search the newest come first, and a blank search is none', () => {
  for (const search of [undefined, null, '', ' \t\n', '\u00a0']) {
    const { words, sort } = parseListing({ search }, 'RELEVANCE')
    assert.deepEqual([words, sort], [undefined, 'NEWEST'])
  }
  assert.deepEqual(parseListing({ search: '!?' }, undefined).words, [])
  assert.equal(orderOf('RELEVANCE', plan), 'RANK')
  assert.equal(orderOf('RELEVANCE', { ...plan, broad: true }), 'NEWEST')
  assert.equal(orderOf('NAME', plan), 'NAME')
})

test('a cursor comes back as it was, and belongs to one listing', () => {
  const other = randomUUID()
  const listings: [ProductFilter, ProductSort | undefined][] = [
    ...(['PRICE_ASC', 'PRICE_DESC', 'NEWEST', 'NAME'] as const).map((sort): [ProductFilter, ProductSort] => [{}, sort]),
    ...[{ search: 'chair' }, { search: 'stool' }, { categoryId: 'x' }, { categoryId: id }, { categoryId: other }].map(
      (filter): [ProductFilter, undefined] => [filter, undefined],
    ),
    ...[{ minPrice: 0 }, { maxPrice: 0 }, { currency: 'EUR' }, { inStock: true }, { inStock: false }].map(
      (filter): [ProductFilter, undefined] => [filter, undefined],
    ),
  ]
  const made = listings.map(([filter, sort]) => {
    const listing = parseListing(filter, sort)
    const place = listing.sort === 'NAME' ? 'ünïcode 椅子 "\\' : 7
    const cursor = { position: { place, id }, plan: listing.words && plan }
    return { listing, cursor, text: toCursor(listing, cursor) }
  })
  for (const { listing, cursor } of made) {
    for (const { listing: of, text } of made) {
      if (of === listing) assert.deepEqual(parseCursor(text, listing), cursor)
      else assert.throws(() => parseCursor(text, listing), refused('after'))
    }
  }
})

test('a cursor that was tampered with is refused, whatever is in it', () => {
  const listings = {
    newest: parseListing({}, undefined),
    price: parseListing({}, 'PRICE_ASC'),
    name: parseListing({}, 'NAME'),
    search: parseListing({ search: 'chair' }, undefined),
  }
  const parts = (listing: (typeof listings)[keyof typeof listings]) => {
    const cursor = { position: { place: listing.sort === 'NAME' ? 'a' : 1, id }, plan: listing.words && plan }
    return JSON.parse(Buffer.from(toCursor(listing, cursor), 'base64url').toString()) as unknown[]
  }
  const refuse = (listing: (typeof listings)[keyof typeof listings], text: string) =>
    assert.throws(() => parseCursor(text, listing), refused('after'), text.slice(0, 80))
  for (const listing of Object.values(listings)) {
    const [mark, place, , ...search] = parts(listing)
    for (const text of ['x', '=', '\0', encoded(null), encoded({}), encoded([]), encoded('x'), 'A'.repeat(100_000)]) {
      refuse(listing, text)
    }
    for (const wrong of [null, 1, {}, [], '', 'x', id.toUpperCase(), `${id} `]) {
      refuse(listing, encoded([mark, place, wrong, ...search]))
    }
    refuse(listing, encoded(['other', place, id, ...search]))
    for (const wrong of [null, true, {}, [], [1]]) refuse(listing, encoded([mark, wrong, id, ...search]))
  }
  for (const listing of [listings.newest, listings.price, listings.search]) {
    const [mark, , , ...search] = parts(listing)
    for (const wrong of ['1', -1, 0.5, 1e300, Number.MAX_SAFE_INTEGER])
      refuse(listing, encoded([mark, wrong, id, ...search]))
  }
  const [name] = parts(listings.name)
  for (const wrong of [1, 'a\0b', '\ud800', 'x'.repeat(1_001)]) refuse(listings.name, encoded([name, wrong, id]))
  const [search] = parts(listings.search)
  for (const wrong of [
    [],
    [0],
    [2, plan.terms],
    ['0', plan.terms],
    [0, []],
    [0, [["'"]]],
    [0, [['a b']]],
    [true, plan.terms],
  ]) {
    refuse(listings.search, encoded([search, 1, id, ...wrong]))
  }
  const [newest] = parts(listings.newest)
  refuse(listings.newest, encoded([newest, 1, id, 0, plan.terms]))
})
