import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BreakerRules, type BreakerState, createBreaker, meterBreakers, type Outcome } from '../breaker.ts'
import { createMetrics } from '../metrics.ts'

const ratio: BreakerRules = {
  opens: { ratio: 0.6, calls: 3, window: 10_000 },
  openTime: 60_000,
  probes: 3,
  slowCall: 0,
}
const inARow: BreakerRules = { ...ratio, opens: { row: 5 } }

function start(first: BreakerRules) {
  const clock = { now: 0 }
  let rules = first
  const changes: BreakerState[] = []
  const breaker = createBreaker({
    rules: () => rules,
    now: () => clock.now,
    onChange: (state) => changes.push(state),
  })
  return {
    breaker,
    clock,
    changes,
    /** Makes calls, one after another, which must be let through. */
    call(...outcomes: Outcome[]) {
      for (const outcome of outcomes) begun(breaker.begin())(outcome)
    },
    set: (next: BreakerRules) => {
      rules = next
    },
  }
}

function begun(call: ((outcome: Outcome) => void) | undefined) {
  assert.ok(call, 'the call is let through')
  return call
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

test('it opens at a share of failures of 0.6 over at least 3 calls', () => {
  const few = start(ratio)
  few.call('failed', 'failed')
  assert.equal(few.breaker.state, 'closed')
  few.call('failed')
  assert.equal(few.breaker.state, 'open')

  const at = start(ratio)
  at.call('succeeded', 'succeeded', 'failed', 'failed')
  assert.equal(at.breaker.state, 'closed')
  at.call('failed')
  assert.equal(at.breaker.state, 'open')
})

test('below that share it stays closed', () => {
  const { breaker, call } = start(ratio)
  for (let round = 0; round < 100; round++) call('succeeded', 'failed')
  assert.equal(breaker.state, 'closed')
})

test('calls count for 10 s', () => {
  const { breaker, clock, call } = start(ratio)
  call(...times(20, 'succeeded' as const))
  clock.now = 9_999
  call('failed', 'failed', 'failed')
  assert.equal(breaker.state, 'closed')
  clock.now = 10_000
  call('failed')
  assert.equal(breaker.state, 'open')
})

test('in the other form it opens after more than 5 failures in a row', () => {
  const { breaker, clock, call } = start(inARow)
  call(...times(5, 'failed' as const), 'succeeded', ...times(5, 'failed' as const))
  assert.equal(breaker.state, 'closed')
  clock.now = 3_600_000
  call('failed')
  assert.equal(breaker.state, 'open')
})

test('open, it refuses calls at once for 60 s', () => {
  const { breaker, clock, call, changes } = start(ratio)
  clock.now = 5
  call('failed', 'failed', 'failed')
  assert.equal(breaker.wait, 60_000)
  clock.now = 60_004
  assert.equal(breaker.begin(), undefined)
  assert.ok(breaker.refuses)
  assert.equal(breaker.wait, 1)
  clock.now = 60_005
  assert.equal(breaker.state, 'half-open')
  assert.equal(breaker.wait, 0)
  assert.deepEqual(changes, ['open', 'half-open'])
})

test('half open, exactly 3 calls go through, and further ones are refused at once while they are under way', () => {
  const { breaker, clock, call } = start(ratio)
  call('failed', 'failed', 'failed')
  clock.now = 60_000
  const probes = [1, 2, 3].map(() => begun(breaker.begin()))
  assert.ok(breaker.refuses)
  assert.equal(breaker.begin(), undefined)
  probes[0]?.('succeeded')
  assert.equal(breaker.begin(), undefined)
  probes[1]?.('succeeded')
  assert.equal(breaker.state, 'half-open')
  probes[2]?.('succeeded')
  assert.equal(breaker.state, 'closed')
})

test('one probe that fails opens it again, for the whole time', () => {
  const { breaker, clock, call } = start(ratio)
  call('failed', 'failed', 'failed')
  clock.now = 60_000
  call('succeeded', 'succeeded', 'failed')
  assert.equal(breaker.state, 'open')
  assert.equal(breaker.wait, 60_000)
})

test('closed again, it has forgotten what was before', () => {
  for (const rules of [ratio, inARow]) {
    const { breaker, clock, call } = start(rules)
    call(...times(rules === ratio ? 3 : 6, 'failed' as const))
    clock.now = 60_000
    call('succeeded', 'succeeded', 'succeeded', 'failed', 'failed')
    assert.equal(breaker.state, 'closed')
  }
})

test('a call that is ignored counts for nothing, and as a probe makes room for another', () => {
  const { breaker, clock, call } = start(ratio)
  call('ignored', 'ignored', 'failed', 'failed')
  assert.equal(breaker.state, 'closed')
  call('failed')
  clock.now = 60_000
  call('ignored', 'succeeded', 'ignored', 'succeeded', 'succeeded')
  assert.equal(breaker.state, 'closed')
})

test('a call that began before the state changed has no say in the new one', () => {
  const { breaker, clock, call } = start(ratio)
  const [early, late, slow] = [1, 2, 3].map(() => begun(breaker.begin()))
  call('failed', 'failed', 'failed')
  clock.now = 60_000
  assert.equal(breaker.state, 'half-open')
  early?.('failed')
  assert.equal(breaker.state, 'half-open')
  late?.('ignored')
  slow?.('succeeded')
  const probes = [1, 2, 3].map(() => begun(breaker.begin()))
  assert.equal(breaker.begin(), undefined)
  for (const probe of probes) probe('succeeded')
  assert.equal(breaker.state, 'closed')
})

test('what became of a call is told once', () => {
  const { breaker, call } = start(ratio)
  const done = begun(breaker.begin())
  done('failed')
  done('failed')
  done('failed')
  call('succeeded')
  assert.equal(breaker.state, 'closed')
})

test('an instance that is newly confirmed ready moves it from open to half open', () => {
  const { breaker, clock, call } = start(ratio)
  call('failed', 'failed', 'failed')
  clock.now = 1_000
  breaker.ready()
  assert.equal(breaker.state, 'half-open')
  call('succeeded', 'succeeded', 'succeeded')
  assert.equal(breaker.state, 'closed')
})

test('a readiness that calls have belied is believed after 2 s, and after twice as long each further time', () => {
  const { breaker, clock, call } = start(ratio)
  call('failed', 'failed', 'failed')
  const believed: number[] = []
  for (clock.now = 0; clock.now < 59_000; clock.now += 1_000) {
    breaker.ready()
    if (breaker.state !== 'half-open') continue
    believed.push(clock.now)
    call('failed')
  }
  assert.deepEqual(believed, [0, 2_000, 6_000, 14_000, 30_000])
})

test('a readiness that was lost and found again is believed at once', () => {
  const { breaker, call } = start(ratio)
  call('failed', 'failed', 'failed')
  breaker.ready()
  call('failed')
  breaker.notReady()
  breaker.ready()
  assert.equal(breaker.state, 'half-open')
})

test('readiness changes nothing of a breaker that is not open', () => {
  const { breaker, clock, call, changes } = start(ratio)
  breaker.ready()
  call('failed', 'failed', 'failed')
  clock.now = 60_000
  call('succeeded')
  breaker.ready()
  call('succeeded', 'succeeded')
  assert.deepEqual(changes, ['open', 'half-open', 'closed'])
})

test('a success that takes as long as a slow call counts as a failure, where a setting says what slow is', () => {
  const slow = (slowCall: number) => {
    const { breaker, clock } = start({ ...ratio, slowCall })
    for (let made = 0; made < 3; made++) {
      const done = begun(breaker.begin())
      clock.now += 500
      done('succeeded')
    }
    return breaker.state
  }
  assert.equal(slow(500), 'open')
  assert.equal(slow(501), 'closed')
  assert.equal(slow(0), 'closed')
})

test('its rules may change at any time, also from one form to the other', () => {
  const { breaker, clock, call, set } = start(ratio)
  call('failed', 'failed')
  set({ ...ratio, opens: { ratio: 0.6, calls: 5, window: 20_000 } })
  call('failed', 'failed', 'failed', 'failed')
  assert.equal(breaker.state, 'closed')
  call('failed')
  assert.equal(breaker.state, 'open')
  set({ ...inARow, openTime: 100, probes: 1 })
  clock.now = 100
  call('succeeded')
  assert.equal(breaker.state, 'closed')
  call(...times(6, 'failed' as const))
  assert.equal(breaker.state, 'open')
})

test('it closes when as many probes have succeeded as are asked for by now, though none is under way', () => {
  const { breaker, clock, call, set } = start(ratio)
  call('failed', 'failed', 'failed')
  clock.now = 60_000
  call('succeeded', 'succeeded')
  assert.equal(breaker.state, 'half-open')
  set({ ...ratio, probes: 2 })
  assert.equal(breaker.refuses, false)
  assert.equal(breaker.state, 'closed')
})

test('its state is a gauge', async () => {
  const metrics = createMetrics({ service: 'test' })
  const { breaker, clock, call } = start(ratio)
  meterBreakers(metrics, () => [['products', breaker]])
  const value = async () => /^circuit_breaker_state\{target="products",.*\} (\d)$/m.exec(await metrics.text())?.[1]
  assert.equal(await value(), '0')
  call('failed', 'failed', 'failed')
  assert.equal(await value(), '2')
  clock.now = 60_000
  assert.equal(await value(), '1')
})
