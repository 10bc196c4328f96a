import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createJudge } from '../database/pool-watch.ts'

/** Looks at a pool of 10, of which so many are in use. */
const lookAt = (judge: ReturnType<typeof createJudge>, used: number, times: number) =>
  Array.from({ length: times }, () => judge({ used, max: 10 }))

test('a pool of which 80 % are in use for three seconds is nearly used up, one of which less are is not', () => {
  const judge = createJudge()
  assert.deepEqual([...new Set(lookAt(judge, 8, 11))], [false])
  assert.equal(judge({ used: 8, max: 10 }), true)
  assert.deepEqual([...new Set(lookAt(createJudge(), 7, 100))], [false])
})

test('a burst does not use a pool up', () => {
  const judge = createJudge()
  lookAt(judge, 2, 12)
  assert.deepEqual([...new Set(lookAt(judge, 10, 8))], [false])
  assert.deepEqual([...new Set(lookAt(judge, 2, 12))], [false])
})

test('a pool about the limit does not go to and fro: it has room again when less than 60 % are in use', () => {
  const judge = createJudge()
  lookAt(judge, 10, 12)
  assert.deepEqual([...new Set(lookAt(judge, 7, 100))], [true])
  const easing = lookAt(judge, 5, 12)
  assert.equal(easing.at(-1), false)
  assert.deepEqual([...new Set(lookAt(judge, 7, 100))], [false])
})
