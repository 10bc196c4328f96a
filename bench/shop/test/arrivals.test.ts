import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrive } from '../arrivals.ts'
import { createMeasures } from '../measures.ts'

const refuse = () => assert.fail('none is refused')

test('requests come when they are due, however long the answers take', async () => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
  const dues: number[] = []
  const send = async (n: number, due: number) => {
    dues.push(due)
    if (n === 49) answer()
    // No answer comes before the last is sent: a generator that waits for one would never end.
    await answered
  }
  await arrive({ rate: 1_000, count: 50, send, refuse })
  assert.equal(dues.length, 50)
  for (const [n, due] of dues.entries()) assert.ok(Math.abs(due - (dues[0] ?? 0) - n) < 0.001)
})

test('a stall is counted for every request that was due in it, not for one', async () => {
  const measures = createMeasures()
  const send = async (n: number, due: number) => {
    const until = performance.now() + 200
    // The process itself stalls, so that nothing can be sent.
    while (n === 0 && performance.now() < until);
    measures.add('any', performance.now() - due)
  }
  await arrive({ rate: 500, count: 200, send, refuse })
  const { all } = measures.take()
  assert.equal(all.count, 200)
  // A hundred of them were due within the stall, and half of those waited for 100 ms and more.
  assert.ok(all.p95 > 100, `p95 is ${all.p95}`)
})
