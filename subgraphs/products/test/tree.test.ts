import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Category } from '../domain/category.ts'
import { createTree } from '../service/tree.ts'

const category = (name: string): Category => ({ id: name, name, parentId: null })

/** A tree over a table whose reads end when they are told to. */
function open() {
  let [time, table] = [0, [category('Tools')]]
  const reads: PromiseWithResolvers<void>[] = []
  const tree = createTree({
    clock: () => time,
    store: {
      async findCategories() {
        const found = table
        const read = Promise.withResolvers<void>()
        reads.push(read)
        await read.promise
        return found
      },
    },
  })
  return {
    tree,
    reads,
    names: async () => (await tree.tree()).all.map(({ name }) => name).join(),
    pass: (milliseconds: number) => {
      time += milliseconds
    },
    add: (name: string) => {
      table = [...table, category(name)]
    },
  }
}

test('the tree is read once a second, for all who ask', async () => {
  const { names, pass, reads, add } = open()
  const all = Promise.all([names(), names()])
  reads[0]?.resolve()
  assert.deepEqual(await all, ['Tools', 'Tools'])
  add('Books')
  pass(999)
  assert.equal(await names(), 'Tools')
  pass(1)
  const later = names()
  reads[1]?.resolve()
  assert.equal(await later, 'Tools,Books')
  assert.equal(reads.length, 2)
})

test('a read counts from its beginning: one that takes a second serves nobody who comes after it', async () => {
  const { names, pass, reads, add } = open()
  const before = names()
  add('Books')
  pass(1_000)
  const after = names()
  for (const { resolve } of reads) resolve()
  assert.deepEqual([await before, await after], ['Tools', 'Tools,Books'])
})

test('what a change forgot is not brought back by a read that began before, however late it ends', async () => {
  const { tree, names, reads, add } = open()
  const before = names()
  add('Books')
  tree.forgetTree()
  const after = names()
  reads[1]?.resolve()
  assert.equal(await after, 'Tools,Books')
  reads[0]?.resolve()
  assert.equal(await before, 'Tools')
  assert.equal(await names(), 'Tools,Books')
  assert.equal(reads.length, 2)
})

test('a category that another instance added is found at once, and is read once for all who miss it', async () => {
  const { tree, names, reads, add } = open()
  const first = names()
  reads[0]?.resolve()
  await first
  add('Books')
  const found = Promise.all([tree.category('Books'), tree.category('Books'), tree.category('none')])
  // Their turns come after that of what is remembered.
  await new Promise((resolve) => setImmediate(resolve))
  reads[1]?.resolve()
  assert.deepEqual(await found, [category('Books'), category('Books'), undefined])
  assert.equal(reads.length, 2)
  assert.equal(await names(), 'Tools,Books')
})

test('a read that fails is not remembered', async () => {
  const { names, reads } = open()
  const failing = names()
  reads[0]?.reject(new Error('gone'))
  await assert.rejects(failing, { message: 'gone' })
  const next = names()
  reads[1]?.resolve()
  assert.equal(await next, 'Tools')
})
