import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createShedder } from '../shedding.ts'

const overloaded = { code: 'OVERLOADED', details: { retryAfter: 1 } }

/** Delays as they are seen, one after another, and whether a request is refused after each. */
function refusedAfter(delays: (number | undefined)[], limit = 250): boolean[] {
  const left = [...delays]
  const shedder = createShedder({ limit: () => limit, measure: () => left.shift() })
  return delays.map(() => {
    shedder.look()
    try {
      shedder.admit()
      return false
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'OVERLOADED')
      return true
    }
  })
}

test('requests are refused while the event loop is late in the median, twice in a row, and let in as soon as it is not', () => {
  assert.deepEqual(refusedAfter([250, 10, 400, 400, 300, 249, 900]), [false, false, false, true, true, false, false])
})

test('a look that sees nothing changes nothing', () => {
  assert.deepEqual(refusedAfter([300, undefined, 300, undefined, 0]), [false, false, true, true, false])
})

test('a limit of 0 refuses none', () => {
  assert.deepEqual(refusedAfter([9_000, 9_000, 9_000], 0), [false, false, false])
})

test('each refusal is OVERLOADED with a time to wait, and counted', () => {
  let refused = 0
  const shedder = createShedder({ limit: () => 1, measure: () => 2, onRefused: () => refused++ })
  shedder.look()
  shedder.look()
  assert.throws(() => shedder.admit(), overloaded)
  assert.throws(() => shedder.admit(), overloaded)
  assert.equal(refused, 2)
})

test('a process that is behind all the time refuses, one long piece of work does not, and it recovers by itself', async () => {
  const limit = 100
  const shedder = createShedder({ limit: () => limit })
  const refuses = () => {
    try {
      shedder.admit()
      return false
    } catch {
      return true
    }
  }
  /** Turns of the event loop that each take so long, and looks between them. */
  async function work(turns: number, time: number): Promise<void> {
    for (let turn = 1; turn <= turns; turn++) {
      const end = performance.now() + time
      while (performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (turn % 4 === 0) shedder.look()
    }
  }
  await work(12, 2 * limit)
  assert.ok(refuses())
  const stop = shedder.start()
  await waitFor('the end of the refusals', () => !refuses())
  await work(1, 6 * limit)
  assert.ok(!refuses())
  stop()
})
