import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGate } from '../credentials/gate.ts'
import { createPasswords } from '../credentials/passwords.ts'

test('no more tasks than the size run at once, and all run, in the order they came', async () => {
  const pass = createGate({ size: 2, wait: 60_000 })
  let running = 0
  const begun: number[] = []
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      pass(async () => {
        begun.push(index)
        running += 1
        assert.ok(running <= 2)
        await new Promise(setImmediate)
        running -= 1
        return index
      }),
    ),
  )
  assert.deepEqual(results, [...Array(20).keys()])
  assert.deepEqual(begun, results)
})

test('a task whose turn is late is refused with OVERLOADED, and never runs', async () => {
  const pass = createGate({ size: 1, wait: 1 })
  let finish = () => {}
  const first = pass(() => new Promise<void>((resolve) => (finish = resolve)))
  let ran = false
  const second = pass(async () => {
    ran = true
  })
  await assert.rejects(second, { code: 'OVERLOADED', details: { subgraph: 'users', retryAfter: 1 } })
  finish()
  await first
  assert.equal(await pass(async () => 'next'), 'next')
  assert.equal(ran, false)
})

test('a task that fails makes room', async () => {
  const pass = createGate({ size: 1, wait: 60_000 })
  await assert.rejects(pass(() => Promise.reject(new Error('x'))))
  assert.equal(await pass(async () => 1), 1)
})

test('a burst of sign-ins beyond the bound is refused with OVERLOADED', async () => {
  const passwords = createPasswords({ concurrency: 1, wait: 1 })
  const hashed = await passwords.hash('correct horse')
  const outcomes = await Promise.allSettled([...Array(10)].map(() => passwords.verify(hashed, 'correct horse')))
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : outcome.value))
  assert.equal(codes[0], true)
  assert.ok(codes.includes('OVERLOADED'))
})
