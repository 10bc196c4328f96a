import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findHighest } from '../find.ts'

/** Searches over a machine that bears so much, and counts the rates that are tried. */
async function search(bears: number, { from = 100, most = 20_000 } = {}) {
  const tried: number[] = []
  const highest = await findHighest({ from, most }, async (rate) => {
    tried.push(rate)
    return rate <= bears
  })
  return { highest, tried }
}

test('what is found holds, and is within 6 % of what the machine bears', async () => {
  for (const bears of [15, 57, 100, 101, 149, 333, 1_000, 4_321]) {
    const { highest = 0, tried } = await search(bears)
    assert.ok(highest <= bears && highest >= bears / 1.06 - 1, `${bears}: ${highest}`)
    assert.ok(tried.length <= 16, `${bears}: ${tried}`)
  }
})

test('no rate is tried twice', async () => {
  for (const bears of [3, 57, 1_000]) {
    const { tried } = await search(bears)
    assert.equal(new Set(tried).size, tried.length)
  }
})

test('nothing is found where nothing holds', async () => {
  assert.equal((await search(0)).highest, undefined)
})

test('nothing above the bound is tried', async () => {
  const { highest, tried } = await search(1_000_000, { most: 500 })
  assert.equal(highest, 500)
  assert.equal(Math.max(...tried), 500)
})
