import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type BreakerRules, type BreakerState, createBreaker, type Outcome } from '../breaker.ts'

/** What is to happen, in the plainest words: every call is kept, and looked through each time. */
function createModel({ opens, openTime, probes }: BreakerRules) {
  let state: BreakerState = 'closed'
  let openedAt = 0
  let inVain = 0
  let ended: { at: number; failed: boolean }[] = []
  let under: number[] = []
  let good = 0
  const become = (next: BreakerState, at: number) => {
    if (next === 'open') openedAt = at
    if (next === 'closed') inVain = 0
    state = next
    ended = []
    under = []
    good = 0
  }
  const tooMany = (at: number) => {
    if ('row' in opens) return ended.slice(-(opens.row + 1)).filter(({ failed }) => failed).length > opens.row
    const slice = opens.window / 10
    const recent = ended.filter((call) => Math.floor(call.at / slice) > Math.floor(at / slice) - 10)
    return recent.length >= opens.calls && recent.filter(({ failed }) => failed).length / recent.length >= opens.ratio
  }
  const model = {
    state(at: number) {
      if (state === 'open' && at - openedAt >= openTime) become('half-open', at)
      return state
    },
    begin(id: number, at: number): boolean {
      if (model.state(at) === 'open' || (state === 'half-open' && under.length + good >= probes)) return false
      under.push(id)
      return true
    },
    end(id: number, outcome: Outcome, at: number) {
      if (!under.includes(id)) return
      under = under.filter((other) => other !== id)
      if (outcome === 'ignored') return
      const failed = outcome === 'failed'
      if (state === 'half-open') {
        good += 1
        if (failed) become('open', at)
        else if (good === probes) become('closed', at)
        return
      }
      ended.push({ at, failed })
      if (failed && tooMany(at)) become('open', at)
    },
    ready(at: number) {
      if (model.state(at) !== 'open' || (inVain > 0 && at - openedAt < 1_000 * 2 ** inVain)) return
      inVain += 1
      become('half-open', at)
    },
    notReady() {
      inVain = 0
    },
  }
  return model
}

test('whatever happens in whatever order, it does what the model does', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which: fc.nat(20),
        outcome: fc.constantFrom<Outcome>('succeeded', 'failed', 'failed', 'ignored'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.constantFrom(1, 99, 700, 5_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('ready' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('notReady' as const) }) },
  )
  const rules = fc.record({
    opens: fc.oneof(
      fc.record({
        ratio: fc.constantFrom(0.3, 0.6, 1),
        calls: fc.integer({ min: 1, max: 5 }),
        window: fc.constant(1_000),
      }),
      fc.record({ row: fc.nat(4) }),
    ),
    openTime: fc.constantFrom(100, 5_000),
    probes: fc.integer({ min: 1, max: 4 }),
    slowCall: fc.constant(0),
  })
  const reached = new Set<string>()
  fc.assert(
    fc.property(rules, fc.array(step, { maxLength: 150 }), (chosen, steps) => {
      const clock = { now: 0 }
      const breaker = createBreaker({ rules: () => chosen, now: () => clock.now })
      const model = createModel(chosen)
      const open = new Map<number, (outcome: Outcome) => void>()
      for (const [index, action] of steps.entries()) {
        if (action.do === 'wait') clock.now += action.time
        else if (action.do === 'ready') {
          breaker.ready()
          model.ready(clock.now)
        } else if (action.do === 'notReady') {
          breaker.notReady()
          model.notReady()
        } else if (action.do === 'begin') {
          const call = breaker.begin()
          assert.equal(call !== undefined, model.begin(index, clock.now))
          if (call) open.set(index, call)
        } else {
          const id = [...open.keys()][action.which % Math.max(1, open.size)]
          if (id === undefined) continue
          open.get(id)?.(action.outcome)
          model.end(id, action.outcome, clock.now)
          open.delete(id)
        }
        assert.equal(breaker.state, model.state(clock.now))
        reached.add(breaker.state)
      }
    }),
    { numRuns: 500 },
  )
  assert.deepEqual([...reached].sort(), ['closed', 'half-open', 'open'])
})
