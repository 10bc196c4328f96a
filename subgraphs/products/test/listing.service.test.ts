import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { seededRandom } from '../../../test/infra/random.ts'
import type { ProductSort } from '../domain/listing.ts'
import { hostileSearches } from './hostile-searches.ts'
import { manager, openProducts, type Products } from './open-products.ts'

let products: Products
before(async () => {
  products = await openProducts()
})
after(() => products.close())

const eur = (amount: number) => ({ amount, currency: 'EUR' })
const namesOf = async (filter: object, sort?: ProductSort) =>
  (await products.service.products({ filter, sort, first: 100 })).edges.map(({ node }) => node.name)

/** Products in a category of their own, by name, each a minute newer than the one before. */
async function addProducts(
  given: Record<string, { description?: string; price?: number; currency?: string; stock?: number }>,
) {
  const { id: categoryId } = await products.category()
  const ids: string[] = []
  for (const [name, { price = 1_000, currency = 'EUR', ...rest }] of Object.entries(given)) {
    products.clock.time = new Date(products.clock.time.getTime() + 60_000)
    ids.push((await products.product({ name, categoryId, price: { amount: price, currency }, ...rest })).id)
  }
  return { categoryId, ids }
}

test('each order is what it says, and equal places are in the order of the ids', async () => {
  const { categoryId } = await addProducts({
    banana: { price: 5 },
    Apple: { price: 9 },
    Ätna: { price: 1 },
    cherry: { price: 7 },
  })
  assert.deepEqual(await namesOf({ categoryId }), ['cherry', 'Ätna', 'Apple', 'banana'])
  assert.deepEqual(await namesOf({ categoryId }, 'NEWEST'), ['cherry', 'Ätna', 'Apple', 'banana'])
  assert.deepEqual(await namesOf({ categoryId }, 'PRICE_ASC'), ['Ätna', 'banana', 'cherry', 'Apple'])
  assert.deepEqual(await namesOf({ categoryId }, 'PRICE_DESC'), ['Apple', 'cherry', 'banana', 'Ätna'])
  assert.deepEqual(await namesOf({ categoryId }, 'NAME'), ['Apple', 'banana', 'cherry', 'Ätna'])

  const { id: equal } = await products.category()
  for (let n = 0; n < 7; n++) await products.product({ name: 'Same', categoryId: equal })
  for (const sort of ['PRICE_ASC', 'PRICE_DESC', 'NEWEST', 'NAME'] as const) {
    const ids = await products.idsOf({ filter: { categoryId: equal }, sort, first: 2 })
    const ascending = [...ids].sort()
    assert.deepEqual(ids, sort === 'PRICE_ASC' || sort === 'NAME' ? ascending : ascending.reverse(), sort)
    assert.equal(ids.length, 7)
  }
})

test('what does not change is on exactly one page of every order, whatever else changes meanwhile', async (context) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  context.diagnostic(`seed ${seed}`)
  const random = seededRandom(seed)
  const { id: categoryId } = await products.category()
  // Few places for many products, so that most pages end between equals.
  const draw = () => ({ name: `Oak ${'abc'[Math.floor(random() * 3)]}`, price: eur(Math.floor(random() * 4)) })
  const add = () => products.product({ ...draw(), categoryId })
  const still: string[] = []
  const moving: string[] = []
  for (let n = 0; n < 60; n++) (n % 2 ? moving : still).push((await add()).id)
  const searched = { search: 'oak', categoryId }
  const lists = [
    ...(['PRICE_ASC', 'PRICE_DESC', 'NEWEST', 'NAME'] as const).map((sort) => ({ sort, filter: { categoryId } })),
    ...(['RELEVANCE', 'PRICE_DESC'] as const).map((sort) => ({ sort, filter: searched })),
  ]
  for (const request of lists) {
    const ids = await products.idsOf({ ...request, first: 7 }, async () => {
      moving.push((await add()).id)
      const [gone = ''] = moving.splice(Math.floor(random() * moving.length), 1)
      await products.service.archiveProduct(manager, gone)
      const productId = moving[Math.floor(random() * moving.length)] ?? ''
      const [product] = await products.store.findProducts([productId])
      await products.service.updateProduct(manager, { productId, version: product?.version ?? 0, ...draw() })
    })
    const seen = Map.groupBy(ids, (id) => id)
    for (const id of still) assert.equal(seen.get(id)?.length, 1, `${request.sort}: a product that did not change`)
  }
})

test('a page tells whether more follows and whether something comes before', async () => {
  const { categoryId } = await addProducts({ One: {}, Two: {}, Three: {} })
  const page = (first: number, after?: string | null) =>
    products.service.products({ filter: { categoryId }, first, after })
  const whole = await page(3)
  assert.deepEqual([whole.pageInfo.hasNextPage, whole.pageInfo.hasPreviousPage], [false, false])
  const start = await page(2)
  assert.deepEqual([start.pageInfo.hasNextPage, start.pageInfo.startCursor], [true, start.edges[0]?.cursor])
  const rest = await page(2, start.pageInfo.endCursor)
  assert.deepEqual([rest.edges.length, rest.pageInfo.hasNextPage, rest.pageInfo.hasPreviousPage], [1, false, true])
  const beyond = await page(2, rest.pageInfo.endCursor)
  assert.deepEqual([beyond.edges, beyond.pageInfo.endCursor], [[], null])
  for (const first of [0, -1, 101, 2 ** 31 - 1]) {
    await assert.rejects(page(first), { code: 'BAD_USER_INPUT', details: { field: 'first' } })
  }
})

test('a category has the products of all that stand in it, and one that is not there has none', async () => {
  const top = await products.category()
  const middle = await products.category(undefined, top.id)
  const low = await products.category(undefined, middle.id)
  const beside = await products.category()
  for (const [name, { id }] of Object.entries({ top, middle, low, beside }))
    await products.product({ name, categoryId: id })
  const named = async (categoryId: string) => (await namesOf({ categoryId })).sort()
  assert.deepEqual(await named(top.id.toUpperCase()), ['low', 'middle', 'top'])
  assert.deepEqual(await named(low.id), ['low'])
  await products.service.updateCategory(manager, { categoryId: middle.id, parentId: beside.id })
  assert.deepEqual(await named(top.id), ['top'])
  assert.deepEqual(await named(beside.id), ['beside', 'low', 'middle'])
  for (const id of ['', 'x', '\0', randomUUID()]) {
    const { edges, totalCount } = await products.service.products({ filter: { categoryId: id } })
    assert.deepEqual([edges, await totalCount()], [[], 0])
  }
})

test('filters are all true of what is listed, at their ends too, and the number is that of all pages', async () => {
  const { categoryId, ids } = await addProducts({
    cheap: { price: 10, stock: 1 },
    middle: { price: 20 },
    dear: { price: 30, stock: 1 },
    franc: { price: 20, currency: 'CHF', stock: 1 },
  })
  const listed = (filter: object) => namesOf({ categoryId, ...filter }, 'NAME')
  assert.deepEqual(await listed({ minPrice: 20 }), ['dear', 'franc', 'middle'])
  assert.deepEqual(await listed({ maxPrice: 20 }), ['cheap', 'franc', 'middle'])
  assert.deepEqual(await listed({ minPrice: 20, maxPrice: 20, currency: 'EUR' }), ['middle'])
  assert.deepEqual(await listed({ inStock: true }), ['cheap', 'dear', 'franc'])
  assert.deepEqual(await listed({ inStock: false }), ['middle'])
  await products.service.reserve(randomUUID(), [{ productId: ids[0] ?? '', quantity: 1 }])
  assert.deepEqual(await listed({ inStock: true, currency: 'EUR' }), ['dear'])
  const { totalCount } = await products.service.products({ filter: { categoryId, minPrice: 20 }, first: 1 })
  assert.equal(await totalCount(), 3)
})

test('a search finds all words in the name or the description, the last one by its beginning, the name counting more', async () => {
  const mark = 'quasar'
  await addProducts({
    Lamp: { description: `Beside the ${mark} chair.` },
    [`${mark} chair`]: {},
    [`${mark}-table/oak`]: { description: '山田の椅子' },
  })
  assert.deepEqual(await namesOf({ search: `CHAIR ${mark}` }), [`${mark} chair`, 'Lamp'])
  assert.deepEqual(await namesOf({ search: `${mark} tab` }), [`${mark}-table/oak`])
  assert.deepEqual(await namesOf({ search: `ta ${mark}` }), [], 'only the last word may be unfinished')
  assert.deepEqual(await namesOf({ search: `"${mark}" & !oak:*` }), [`${mark}-table/oak`], 'operators are no operators')
  assert.deepEqual(await namesOf({ search: `${mark} 田の椅` }), [`${mark}-table/oak`])
  assert.deepEqual(await namesOf({ search: `${mark} 椅田` }), [], 'characters of a run stand side by side')
  assert.deepEqual(await namesOf({ search: mark }, 'NAME'), ['Lamp', `${mark} chair`, `${mark}-table/oak`])
  const { totalCount } = await products.service.products({ filter: { search: mark }, first: 1 })
  assert.equal(await totalCount(), 3)
})

test('a mistyped word finds what was meant, on every page, and what nothing is like finds nothing', async () => {
  const { ids } = await addProducts({ 'Zyklamen pot': {}, 'Zyklamen tray': {}, 'Zyklamen bowl': {} })
  for (const search of ['zyklamne', 'Zyclamen', 'zyklammen']) {
    assert.deepEqual((await products.idsOf({ filter: { search }, first: 1 })).sort(), [...ids].sort(), search)
  }
  assert.deepEqual(await namesOf({ search: 'zyklamne tray' }), ['Zyklamen tray'])
  assert.deepEqual(await namesOf({ search: 'xqxqxqxq' }), [])
})

test('no search is an error, whatever is typed, and none says so by finding everything', async () => {
  await addProducts({ chair: {}, stool: {} })
  for (const search of hostileSearches) {
    const { edges, totalCount } = await products.service.products({ filter: { search }, first: 100 })
    assert.equal(typeof (await totalCount()), 'number')
    if (/^[^\p{L}\p{N}]+$/u.test(search) && search.trim() !== '')
      assert.deepEqual(edges, [], JSON.stringify(search).slice(0, 50))
  }
  assert.ok((await namesOf({})).length >= 2)
})

test('a cursor of a search that was made narrow by force ranks no more than a bounded number of products', async () => {
  const { id: categoryId } = await products.category()
  await products.sql(
    `INSERT INTO products (id, sku, name, description, price_amount, price_currency, category_id, available, created_at, updated_at)
     SELECT gen_random_uuid(), 'BULK-' || n, 'Bulkware ' || n, '', 1, 'EUR', $1, 0, now(), now() FROM generate_series(1, 12000) n`,
    [categoryId],
  )
  const filter = { search: 'bulkware' }
  const { edges, totalCount } = await products.service.products({ filter, first: 1 })
  assert.equal(await totalCount(), 12_000)
  const [mark, , id] = JSON.parse(Buffer.from(edges[0]?.cursor ?? '', 'base64url').toString())
  const after = Buffer.from(JSON.stringify([mark, 2_000_000, id, 0, [['bulkware']]])).toString('base64url')
  const forged = await products.service.products({ filter, first: 1, after })
  assert.equal(forged.edges.length, 1)
  assert.equal(await forged.totalCount(), 10_000)
})
