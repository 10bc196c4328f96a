import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createInstance, manager, openProducts, type Products } from './open-products.ts'

let products: Products
before(async () => {
  products = await openProducts()
})
after(() => products.close())

const move = (categoryId: string, parentId: string | null) =>
  products.service.updateCategory(manager, { categoryId, parentId })

/** Whether every category is reached from the top: then there is no circle. */
async function isTree(): Promise<boolean> {
  const [row] = await products.sql(
    `WITH RECURSIVE reached AS (
       SELECT id FROM categories WHERE parent_id IS NULL
       UNION SELECT c.id FROM categories c JOIN reached r ON c.parent_id = r.id
     ) SELECT (SELECT count(*) FROM reached) = (SELECT count(*) FROM categories) AS whole`,
  )
  return row?.whole
}

test('a category is renamed, put elsewhere and put at the top; what is not given stays', async () => {
  const [parent, child] = [await products.category('Parent'), await products.category('Child')]
  const { updateCategory } = products.service
  assert.deepEqual(await move(child.id, parent.id), { ...child, parentId: parent.id })
  assert.deepEqual(await updateCategory(manager, { categoryId: child.id, name: ' Kid ' }), {
    id: child.id,
    name: 'Kid',
    parentId: parent.id,
  })
  assert.deepEqual(await move(child.id, null), { id: child.id, name: 'Kid', parentId: null })
  assert.deepEqual(await updateCategory(manager, { categoryId: child.id }), {
    id: child.id,
    name: 'Kid',
    parentId: null,
  })
})

test('what breaks a rule is refused, with the field', async () => {
  const { service } = products
  const { id } = await products.category()
  for (const name of ['', ' ', 'x'.repeat(101), 'a\nb', '\ud800']) {
    const refused = { code: 'BAD_USER_INPUT', details: { field: 'name' } }
    await assert.rejects(service.createCategory(manager, { name }), refused)
    await assert.rejects(service.updateCategory(manager, { categoryId: id, name }), refused)
  }
  for (const parentId of ['x', randomUUID()]) {
    const refused = { code: 'NOT_FOUND', details: { field: 'parentId' } }
    await assert.rejects(service.createCategory(manager, { name: 'X', parentId }), refused)
    await assert.rejects(move(id, parentId), refused)
  }
  for (const categoryId of ['x', randomUUID()]) {
    await assert.rejects(service.updateCategory(manager, { categoryId, name: 'X' }), { code: 'NOT_FOUND' })
  }
})

test('side by side no two have one name, also at the top and at once', async () => {
  const parent = await products.category()
  for (const parentId of [null, parent.id]) {
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => products.category('Twins', parentId)))
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.deepEqual(outcome.reason.details, { field: 'name' })
    }
  }
})

test('a category stands in no circle, also when several are moved at once', async () => {
  const refused = { code: 'BAD_USER_INPUT', details: { field: 'parentId' } }
  const a = await products.category()
  const b = await products.category(undefined, a.id)
  const c = await products.category(undefined, b.id)
  for (const parent of [a, b, c]) await assert.rejects(move(a.id, parent.id), refused)
  for (let round = 0; round < 10; round += 1) {
    const [x, y, z] = [await products.category(), await products.category(), await products.category()]
    const outcomes = await Promise.allSettled([move(x.id, y.id), move(y.id, z.id), move(z.id, x.id)])
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
    assert.ok(await isTree())
  }
})

test('categories are at most 10 deep, wherever a branch is put', async () => {
  const refused = { code: 'BAD_USER_INPUT', details: { field: 'parentId' } }
  const branch = async (length: number) => {
    const ids: string[] = []
    for (let index = 0; index < length; index += 1)
      ids.push((await products.category(undefined, ids.at(-1) ?? null)).id)
    return ids
  }
  const [long, short] = [await branch(9), await branch(2)]
  await assert.rejects(move(short[0] ?? '', long[8] ?? ''), refused)
  await move(short[0] ?? '', long[7] ?? '')
  await assert.rejects(products.category(undefined, short[1]), refused)
})

test('a category ends when nothing is in it, and ends once', async () => {
  const parent = await products.category()
  const child = await products.category(undefined, parent.id)
  const { id: productId } = await products.product({ categoryId: child.id })
  const remove = (id: string) => products.service.deleteCategory(manager, id)
  for (const { id } of [parent, child]) await assert.rejects(remove(id), { code: 'ILLEGAL_TRANSITION' })
  await products.service.archiveProduct(manager, productId)
  await assert.rejects(remove(child.id), { code: 'ILLEGAL_TRANSITION' })
  const empty = await products.category()
  for (const id of [empty.id, empty.id, randomUUID(), 'x']) await remove(id)
  assert.equal(
    (await products.service.categories()).some(({ id }) => id === empty.id),
    false,
  )
})

test('who changed the tree sees the change, through the same instance, however often it is read', async () => {
  const { service } = products
  let reading = true
  const readers = Array.from({ length: 8 }, async () => {
    while (reading) {
      await service.categories()
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  for (let round = 0; round < 20; round++) {
    const { id } = await products.category()
    await service.category(id)
    const name = randomUUID()
    await service.updateCategory(manager, { categoryId: id, name })
    assert.equal((await service.category(id)).name, name)
    await service.deleteCategory(manager, id)
    await assert.rejects(service.category(id), { code: 'NOT_FOUND' })
  }
  reading = false
  await Promise.all(readers)
})

test('a category that one instance added is there for another one at once', async () => {
  const other = await createInstance({ store: products.store })
  await other.service.categories()
  const { id } = await products.category('Added elsewhere')
  assert.equal((await other.service.category(id)).name, 'Added elsewhere')
})

test('a product never stands in a category that ends at the same time', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { id: categoryId } = await products.category()
    const [added, removed] = await Promise.allSettled([
      products.product({ categoryId }),
      products.service.deleteCategory(manager, categoryId),
    ])
    const codes = [added, removed].map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'done'))
    assert.ok(['NOT_FOUND,done', 'done,ILLEGAL_TRANSITION'].includes(codes.join()), codes.join())
  }
})
