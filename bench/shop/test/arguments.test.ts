import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArguments } from '../arguments.ts'

test('what is not said has its default', () => {
  const { mode, rate, seconds, customers, products, real, before } = parseArguments([])
  assert.deepEqual(
    { mode, rate, seconds, customers, products },
    { mode: 'rate', rate: undefined, seconds: 20, customers: 500, products: 10_000 },
  )
  assert.equal(real || before, false)
})

test('what no run can do is refused with the usage', () => {
  for (const args of [
    ['--rate', '0'],
    ['--rate', '-5'],
    ['--rate', 'x'],
    ['--seconds', '1e9'],
    ['--fast'],
    ['--find', '--soak'],
    ['--compare', '--find'],
    ['--compare', '--before'],
    ['more'],
  ])
    assert.throws(() => parseArguments(args), /Usage: npm run bench:shop/, args.join(' '))
})
