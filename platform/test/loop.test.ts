import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { silentLog as log } from '../log.ts'
import { createLoop } from '../loop.ts'

test('a call to wake during a turn is not lost', async () => {
  let turns = 0
  const loop = createLoop({
    name: 'test',
    log,
    interval: 3_600_000,
    async work() {
      turns += 1
      if (turns === 1) loop.wake()
      return false
    },
  })
  loop.start()
  await waitFor('the second turn', () => turns === 2)
  await loop.stop()
  assert.equal(turns, 2)
})

test('turns follow each other while there is more to do, and a failure does not end the loop', async () => {
  const outcomes = [true, true, new Error('once'), false]
  let turns = 0
  const loop = createLoop({
    name: 'test',
    log,
    interval: 3_600_000,
    async work() {
      const outcome = outcomes[turns++] ?? false
      if (outcome instanceof Error) throw outcome
      return outcome
    },
  })
  loop.start()
  await waitFor('four turns', () => turns === 4)
  await loop.stop()
})

test('stopping finishes the turn at hand', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let finished = false
  const loop = createLoop({
    name: 'test',
    log,
    interval: 1,
    async work() {
      await promise
      finished = true
      return true
    },
  })
  loop.start()
  const stopped = loop.stop()
  assert.equal(loop.stopping, true)
  resolve()
  await stopped
  assert.equal(finished, true)
})

test('with a spacing the first turn after a rest comes at once, and those woken under load keep their distance', async () => {
  const spacing = 60
  const begun: number[] = []
  const loop = createLoop({
    name: 'test',
    log,
    interval: 3_600_000,
    spacing,
    async work() {
      begun.push(performance.now())
      return false
    },
  })
  loop.start()
  const waking = setInterval(loop.wake, 1)
  await waitFor('six turns', () => begun.length >= 6)
  clearInterval(waking)
  await loop.stop()
  const distances = begun.slice(1).map((time, index) => time - (begun[index] ?? 0))
  assert.ok(
    distances.every((distance) => distance >= spacing - 2),
    distances.join(', '),
  )
})

test('a stop does not wait for the spacing', async () => {
  const loop = createLoop({ name: 'test', log, interval: 3_600_000, spacing: 3_600_000, work: async () => false })
  loop.start()
  loop.wake()
  await new Promise(setImmediate)
  await loop.stop()
})
