import assert from 'node:assert/strict'
import { test } from 'node:test'
import { together } from '../loader.ts'

type Item = { n: number }

test('what is asked for at about the same time is done by one call, and each gets its own answer', async () => {
  const calls: number[][] = []
  const double = together<Item, number>(async (items) => {
    calls.push(items.map(({ n }) => n))
    return items.map(({ n }) => n * 2)
  })
  assert.deepEqual(await Promise.all([double({ n: 1 }), double({ n: 2 }), double({ n: 1 })]), [2, 4, 2])
  assert.deepEqual(calls, [[1, 2, 1]])
})

test('where all together fail each is done alone, so that none fails because of another', async () => {
  const calls: number[][] = []
  const double = together<Item, number>(async (items) => {
    calls.push(items.map(({ n }) => n))
    if (items.some(({ n }) => n === 2)) throw new Error('two')
    return items.map(({ n }) => n * 2)
  })
  const outcomes = await Promise.allSettled([double({ n: 1 }), double({ n: 2 }), double({ n: 3 })])
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.message)),
    [2, 'two', 6],
  )
  assert.deepEqual(calls, [[1, 2, 3], [1], [2], [3]])
})

test('one that is alone is not done twice', async () => {
  let calls = 0
  const fail = together<Item, number>(async () => {
    calls += 1
    throw new Error('no')
  })
  await assert.rejects(fail({ n: 1 }), { message: 'no' })
  assert.equal(calls, 1)
})

test('a call takes no more than a hundred', async () => {
  const sizes: number[] = []
  const count = together<Item, number>(async (items) => {
    sizes.push(items.length)
    return items.map(({ n }) => n)
  })
  await Promise.all(Array.from({ length: 250 }, (_, n) => count({ n })))
  assert.deepEqual(sizes, [100, 100, 50])
})
