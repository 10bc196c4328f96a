import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRetryBudget } from '../retry-budget.ts'

/** Takes all that there is. */
function drain({ take }: ReturnType<typeof createRetryBudget>): number {
  let taken = 0
  while (take()) taken += 1
  return taken
}

test('retries are a tenth of calls, whatever fails', () => {
  const budget = createRetryBudget({ now: () => 0 })
  drain(budget)
  let retries = 0
  for (let n = 0; n < 10_000; n++) {
    budget.onCall()
    if (budget.take()) retries += 1
  }
  assert.ok(Math.abs(retries - 1_000) <= 1)
})

test('one a second is there for those who call seldom', () => {
  let now = 0
  const budget = createRetryBudget({ now: () => now })
  drain(budget)
  now = 5_000
  assert.equal(drain(budget), 5)
})

test('a new budget has ten, and never more than a hundred are saved up', () => {
  const budget = createRetryBudget({ now: () => 0 })
  assert.equal(drain(budget), 10)
  for (let n = 0; n < 5_000; n++) budget.onCall()
  assert.equal(drain(budget), 100)
})

test('no order of calls and failures gives more than what is saved, a tenth of calls and one a second', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 300 })), { maxLength: 300 })
  fc.assert(
    fc.property(steps, (list) => {
      let now = 0
      const budget = createRetryBudget({ now: () => now })
      let retries = 0
      for (const [fails, time] of list) {
        now += time
        budget.onCall()
        if (fails && budget.take()) retries += 1
      }
      assert.ok(retries <= 10 + list.length / 10 + now / 1_000 + 1e-6)
    }),
  )
})
