import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { customer, manager, nobody, openProducts, type Products } from './open-products.ts'

let products: Products
before(async () => {
  products = await openProducts()
})
after(() => products.close())

const price = { amount: 1_000, currency: 'EUR' }

test('the catalogue changes with catalog:write alone', async () => {
  const { id: productId, categoryId, version } = await products.product()
  const { service } = products
  for (const [caller, code] of [
    [nobody, 'UNAUTHENTICATED'],
    [customer, 'FORBIDDEN'],
  ] as const) {
    const attempts = [
      () => service.createProduct(caller, { sku: 'X', name: 'X', description: '', price, categoryId }),
      () => service.updateProduct(caller, { productId, version, name: 'Other' }),
      () => service.archiveProduct(caller, productId),
      () => service.createCategory(caller, { name: 'X' }),
      () => service.updateCategory(caller, { categoryId, name: 'X' }),
      () => service.deleteCategory(caller, categoryId),
    ]
    for (const attempt of attempts) await assert.rejects(attempt, { code })
  }
})

test('a product that breaks a rule is refused, with the field', async () => {
  const { id: categoryId } = await products.category()
  const good = { sku: 'A-1', name: 'Thing', description: '', price, categoryId }
  const bad: [string, object][] = [
    ...['', ' ', '-A', 'A-', 'A--B', 'A B', 'Ä', 'A\u0000', 'A/B', 'x'.repeat(65)].map((sku): [string, object] => [
      'sku',
      { sku },
    ]),
    ...['', '  ', 'x'.repeat(201), 'a\nb', 'a\u0000', '\ud800'].map((name): [string, object] => ['name', { name }]),
    ...['x'.repeat(5_001), 'a\u0000', 'a\u001b', '\udc00'].map((text): [string, object] => [
      'description',
      { description: text },
    ]),
    ...[-1, 2 ** 31, 0.5, Number.NaN].map((amount): [string, object] => [
      'price.amount',
      { price: { ...price, amount } },
    ]),
    ...['', 'eur', 'EURO', 'ABC', 'E\u0000R'].map((currency): [string, object] => [
      'price.currency',
      { price: { ...price, currency } },
    ]),
  ]
  for (const [field, change] of bad) {
    await assert.rejects(products.service.createProduct(manager, { ...good, ...change }), {
      code: 'BAD_USER_INPUT',
      details: { field },
    })
  }
  for (const id of ['', 'x', randomUUID()]) {
    const refused = { code: 'NOT_FOUND', details: { field: 'categoryId' } }
    await assert.rejects(products.service.createProduct(manager, { ...good, categoryId: id }), refused)
  }
})

test('a product is kept as it was given, at the ends of what is allowed too', async () => {
  const name = `Ünïcode ${'x'.repeat(192)}`
  for (const amount of [0, 2 ** 31 - 1]) {
    const product = await products.product({
      name,
      description: ' Two\r\nlines\t ',
      price: { amount, currency: 'JPY' },
    })
    const [found] = await products.service.productsByIds([product.id])
    assert.deepEqual(found, product)
    assert.deepEqual(found?.price, { amount, currency: 'JPY' })
    assert.equal(found?.description, 'Two\nlines')
  }
})

test('a SKU is one product’s, also when two take it at once, and of an archived one too', async () => {
  const { id: categoryId } = await products.category()
  const sku = randomUUID()
  const create = () =>
    products.service.createProduct(manager, { sku, name: 'Thing', description: '', price, categoryId })
  const refused = { code: 'BAD_USER_INPUT', details: { field: 'sku' } }
  const outcomes = await Promise.allSettled([create(), create(), create()])
  const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  assert.equal(made.length, 1)
  await assert.rejects(create, refused)
  await products.service.archiveProduct(manager, made[0]?.id ?? '')
  await assert.rejects(create, refused)
})

test('every change commits product.updated, numbered by the version, and what changes nothing tells nothing', async () => {
  const { id: productId, sku, categoryId } = await products.product({ name: 'First' })
  const update = { productId, name: 'Second', price: { amount: 5, currency: 'EUR' } }
  const changed = await products.service.updateProduct(manager, { ...update, version: 1 })
  assert.equal(changed.version, 2)
  const same = await products.service.updateProduct(manager, { ...update, version: 2, description: null })
  assert.deepEqual(same, changed)
  await products.service.archiveProduct(manager, productId)
  await products.service.archiveProduct(manager, productId)
  const events = await products.eventsOf(productId)
  assert.deepEqual(
    events.map(({ type, sequence }) => [type, sequence]),
    [1, 2, 3].map((n) => ['product.updated', n]),
  )
  assert.deepEqual(
    events.map(({ data }) => [data.name, data.price.amount, data.archived]),
    [
      ['First', 1_000, false],
      ['Second', 5, false],
      ['Second', 5, true],
    ],
  )
  assert.deepEqual(events[0]?.data, {
    productId,
    sku,
    name: 'First',
    price,
    categoryId,
    version: 1,
    archived: false,
  })
})

test('of changes of the same version at once exactly one is made', async () => {
  const { id: productId } = await products.product()
  for (let version = 1; version <= 5; version += 1) {
    const names = Array.from({ length: 4 }, (_, index) => `Name ${version} ${index}`)
    const outcomes = await Promise.allSettled(
      names.map((name) => products.service.updateProduct(manager, { productId, version, name })),
    )
    const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'made'))
    assert.deepEqual(codes.sort(), ['VERSION_CONFLICT', 'VERSION_CONFLICT', 'VERSION_CONFLICT', 'made'])
  }
  assert.deepEqual(
    (await products.eventsOf(productId)).map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6],
  )
})

test('a change is of the product that is there, in a category that is there', async () => {
  const { id: productId } = await products.product()
  for (const id of ['x', randomUUID()]) {
    await assert.rejects(products.service.updateProduct(manager, { productId: id, version: 1 }), { code: 'NOT_FOUND' })
    await assert.rejects(products.service.archiveProduct(manager, id), { code: 'NOT_FOUND' })
    const moved = products.service.updateProduct(manager, { productId, version: 1, categoryId: id })
    await assert.rejects(moved, { code: 'NOT_FOUND', details: { field: 'categoryId' } })
  }
})

test('stock does not count as a change, and a change does not touch the stock', async () => {
  const { id: productId } = await products.product({ stock: 5 })
  await products.service.reserve(randomUUID(), [{ productId, quantity: 2 }])
  const changed = await products.service.updateProduct(manager, { productId, version: 1, name: 'Other' })
  const [found] = await products.service.productsByIds([productId])
  assert.deepEqual(found, { ...changed, available: 3, version: 2 })
})

test('an archived product is in no list and no search, is found by its id, and cannot be ordered or changed', async () => {
  const mark = `m${randomUUID().slice(0, 8)}`
  const { id: productId, sku, categoryId } = await products.product({ name: `Lamp ${mark}`, stock: 5 })
  const orderId = randomUUID()
  const items = [{ productId, quantity: 2 }]
  const held = await products.service.reserve(orderId, items)
  const archived = await products.service.archiveProduct(manager, productId)
  assert.deepEqual(await products.service.archiveProduct(manager, productId), archived)
  for (const filter of [{ categoryId }, { search: mark }]) {
    const { edges, totalCount } = await products.service.products({ filter })
    assert.deepEqual([edges, await totalCount()], [[], 0])
  }
  assert.deepEqual(await products.service.productsByIds([productId]), [{ ...archived, available: 3 }])
  assert.deepEqual(await products.store.findProductsBySku([sku]), [archived])
  await assert.rejects(products.service.reserve(randomUUID(), items), {
    code: 'INSUFFICIENT_STOCK',
    details: { items: [{ productId, requested: 2, available: 0 }] },
  })
  assert.deepEqual((await products.service.reserve(orderId, items)).lines, held.lines, 'what is held stays held')
  await products.service.release(orderId)
  assert.deepEqual(await products.stockOf(productId), [5])
  const late = products.service.updateProduct(manager, { productId, version: 2, name: 'Other' })
  await assert.rejects(late, { code: 'ILLEGAL_TRANSITION' })
})
