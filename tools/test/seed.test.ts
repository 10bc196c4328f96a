import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseNewProduct } from '../../subgraphs/products/domain/catalogue.ts'
import { addCategory, type Category } from '../../subgraphs/products/domain/category.ts'
import { parseArguments } from '../seed/arguments.ts'
import { addBigCatalogue, bigCategories, bigProduct } from '../seed/big-catalogue.ts'
import { catalogue } from '../seed/catalogue.ts'

describe('the arguments of the seed', () => {
  test('name how many products the big catalogue has; without them there is none', () => {
    assert.deepEqual(parseArguments([]), { products: 0 })
    assert.deepEqual(parseArguments(['--products', '100000']), { products: 100_000 })
    assert.deepEqual(parseArguments(['--products=1000000']), { products: 1_000_000 })
  })

  test('that are no such number are refused in a sentence that names them', () => {
    for (const text of ['0', '-1', '1.5', '1e3', '0x10', '', ' 5', '1000001', '9'.repeat(30), 'many', '٣']) {
      const refusal = (error: Error) =>
        error.message.startsWith(
          `--products is a whole number from 1 to 1000000, and not ${JSON.stringify(text)}.\nUsage:`,
        )
      assert.throws(() => parseArguments([`--products=${text}`]), refusal, text)
    }
  })

  test('that there are not are answered with the usage', () => {
    for (const args of [['--product', '5'], ['5'], ['--products'], ['--products', '-1']]) {
      assert.throws(() => parseArguments(args), /^Error: Usage: npm run seed/, args.join(' '))
    }
  })
})

describe('the big catalogue', () => {
  const products = Array.from({ length: 3_000 }, (_, number) => bigProduct(number))

  test('is the same each time, and a bigger one has all of a smaller one', () => {
    assert.deepEqual(
      products.slice(0, 50),
      Array.from({ length: 50 }, (_, number) => bigProduct(number)),
    )
    assert.deepEqual(
      [bigProduct(0), bigProduct(99_999)].map(({ sku, name }) => [sku, name]),
      [
        ['BIG-0000001', 'Folding Steel Plane Rativo'],
        ['BIG-0100000', 'Sturdy Cotton Melodica Dabaquo'],
      ],
    )
  })

  test('keeps the rules of the catalogue', () => {
    for (const { sku, name, description, price, categoryId } of products) {
      const given = { sku, name, description, price, categoryId }
      assert.deepEqual(parseNewProduct(given), given)
    }
    const all: Category[] = []
    for (const { id, name, parentId } of bigCategories) all.push(addCategory(all, id, { name, parentId }))
    assert.deepEqual(all, bigCategories)
  })

  test('has its own ids, SKUs and top category', () => {
    assert.equal(new Set(products.map(({ id }) => id)).size, products.length)
    assert.equal(new Set(products.map(({ sku }) => sku)).size, products.length)
    const tops = bigCategories.filter(({ parentId }) => parentId === null)
    assert.equal(tops.length, 1)
    assert.ok(!catalogue.some(({ category }) => category === tops[0]?.name))
  })

  test('is spread over its categories, prices, currencies and stocks, with many in one place of each order', () => {
    const distinct = (of: (product: (typeof products)[number]) => unknown) => new Set(products.map(of)).size
    const leaves = bigCategories.filter(({ id }) => !bigCategories.some(({ parentId }) => parentId === id))
    assert.equal(
      distinct(({ categoryId }) => categoryId),
      leaves.length,
    )
    assert.equal(
      distinct(({ createdAt }) => createdAt.getTime()),
      300,
    )
    assert.ok(distinct(({ price }) => price.amount) > 500)
    assert.ok(distinct(({ price }) => price.amount) < 2_000)
    const share = (holds: (product: (typeof products)[number]) => boolean) =>
      products.filter(holds).length / products.length
    assert.ok(Math.abs(share(({ available }) => available === 0) - 0.1) < 0.03)
    assert.ok(Math.abs(share(({ price }) => price.currency === 'CHF') - 0.1) < 0.03)
  })

  test('is added in batches, categories first, and says how far it is', async () => {
    const calls: [number, number][] = []
    const progress: number[] = []
    const addCatalogue = async (categories: readonly unknown[], added: readonly unknown[]) => {
      calls.push([categories.length, added.length])
      return added.length
    }
    await addBigCatalogue({ addCatalogue }, 2_500, (done) => progress.push(done))
    assert.deepEqual(calls, [
      [bigCategories.length, 1_000],
      [0, 1_000],
      [0, 500],
    ])
    assert.deepEqual(progress, [1_000, 2_000, 2_500])
    await addBigCatalogue({ addCatalogue }, 0)
    assert.equal(calls.length, 3)
  })
})
