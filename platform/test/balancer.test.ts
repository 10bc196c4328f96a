import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../test/infra/random.ts'
import { type Choice, createBalancer, type Policy } from '../balancer.ts'

function open(addresses: readonly string[], { policy = 'round-robin' as Policy, seed = 1 } = {}) {
  let tell: (addresses: readonly string[]) => void = () => {}
  const state = { now: 0, policy, closed: [] as string[], unfollowed: false }
  const balancer = createBalancer<string>({
    addresses(follow) {
      tell = follow
      follow(addresses)
      return () => {
        state.unfollowed = true
      }
    },
    open: (address) => address,
    close: (address) => void state.closed.push(address),
    policy: () => state.policy,
    now: () => state.now,
    random: seededRandom(seed),
  })
  /** Calls that all are answered, and how many each instance got. */
  function counts(calls: number): Record<string, number> {
    const counted: Record<string, number> = {}
    for (let n = 0; n < calls; n++) {
      const choice = taken()
      counted[choice.address] = (counted[choice.address] ?? 0) + 1
      choice.release('reached')
    }
    return counted
  }
  function taken(tried: readonly string[] = []): Choice<string> {
    const choice = balancer.choose(tried)
    assert.ok(choice)
    return choice
  }
  /** Sets an instance aside. */
  function refuse(address: string): void {
    const others = addresses.filter((other) => other !== address)
    const choice = taken(others)
    assert.equal(choice.address, address)
    choice.release('refused')
  }
  return { balancer, state, counts, taken, refuse, list: (wanted: readonly string[]) => tell(wanted) }
}

const abc = ['a', 'b', 'c']

test('round-robin gives each instance the same number of calls, give or take one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 200 }), (instances, calls) => {
      const addresses = Array.from({ length: instances }, (_, n) => String(n))
      const numbers = Object.values(open(addresses).counts(calls))
      while (numbers.length < instances) numbers.push(0)
      assert.ok(Math.max(...numbers) - Math.min(...numbers) <= 1)
    }),
  )
})

test('random gives each instance its share', () => {
  for (const calls of Object.values(open(abc, { policy: 'random' }).counts(3_000))) {
    assert.ok(Math.abs(calls - 1_000) < 200)
  }
})

test('least-pending leaves the instance alone that has the most calls under way', () => {
  const { taken } = open(abc, { policy: 'least-pending' })
  const held = Array.from({ length: 300 }, () => taken().address)
  for (const address of abc) assert.ok(Math.abs(held.filter((other) => other === address).length - 100) <= 5)
  const busy = open(abc, { policy: 'least-pending' })
  for (let n = 0; n < 5; n++) busy.taken(['b', 'c'])
  const { a = 0 } = busy.counts(100)
  assert.equal(a, 0)
})

test('the policy may change while it runs', () => {
  const { counts, state } = open(abc, { policy: 'random', seed: 4 })
  assert.notDeepEqual(counts(30), { a: 10, b: 10, c: 10 })
  state.policy = 'round-robin'
  assert.deepEqual(counts(30), { a: 10, b: 10, c: 10 })
})

test('an instance that refuses is set aside at once, and tried again by one call after a pause', () => {
  const { counts, refuse, taken, state } = open(abc)
  refuse('a')
  assert.deepEqual(counts(10), { b: 5, c: 5 })
  state.now += 200
  const probe = taken()
  assert.equal(probe.address, 'a')
  assert.deepEqual(counts(10), { b: 5, c: 5 })
  probe.release('reached')
  assert.deepEqual(counts(9), { a: 3, b: 3, c: 3 })
})

test('the pause grows with each refusal, up to 5 s', () => {
  const { taken, state } = open(['a', 'b'])
  taken(['b']).release('refused')
  const pauses: number[] = []
  for (let n = 0; n < 8; n++) {
    const since = state.now
    let choice = taken(['b'])
    while (choice.address !== 'a') {
      choice.release('reached')
      state.now += 10
      choice = taken(['b'])
    }
    pauses.push(state.now - since)
    choice.release('refused')
  }
  for (const [n, pause] of pauses.entries()) {
    const longest = Math.min(5_000, 200 * 2 ** n)
    assert.ok(pause >= longest / 2 && pause <= longest + 10, `${pauses}`)
  }
})

test('an instance that says that it stops is set aside at once, for 2.5 to 5 s, also when others say so too', () => {
  const { taken, counts, state } = open(abc)
  const herd = Array.from({ length: 5 }, () => taken(['b', 'c']))
  for (const choice of herd) choice.release('leaving')
  assert.deepEqual(counts(10), { b: 5, c: 5 })
  state.now += 2_499
  assert.deepEqual(counts(10), { b: 5, c: 5 })
  state.now += 2_501
  assert.equal(counts(9).a, 3)
})

test('calls that were refused together count as one refusal', () => {
  const { taken, state } = open(['a', 'b'])
  const herd = Array.from({ length: 50 }, () => taken(['b']))
  for (const choice of herd) choice.release('refused')
  state.now += 200
  assert.equal(taken(['b']).address, 'a')
})

test('a call that ends well after its instance began to refuse does not bring it back', () => {
  const { taken, refuse, counts } = open(['a', 'b'])
  const slow = taken(['b'])
  refuse('a')
  slow.release('reached')
  assert.deepEqual(counts(4), { b: 4 })
})

test('a probe that tells nothing leaves its instance set aside, for another probe', () => {
  const { taken, refuse, counts, state } = open(['a', 'b'])
  refuse('a')
  state.now += 200
  taken().release()
  const probe = taken(['b'])
  assert.equal(probe.address, 'a')
  assert.deepEqual(counts(4), { b: 4 })
})

test('when all are set aside they are tried, and the first that answers is back', () => {
  const { refuse, taken, counts } = open(['a', 'b'])
  refuse('a')
  refuse('b')
  taken(['a']).release('reached')
  assert.deepEqual(counts(4), { b: 4 })
})

test('a second attempt goes to another instance, if there is one that is not set aside', () => {
  const { taken, refuse } = open(['a', 'b'])
  assert.equal(taken(['a']).address, 'b')
  assert.equal(taken(['b']).address, 'a')
  refuse('b')
  assert.equal(taken(['a']).address, 'a')
  assert.equal(open(['a']).taken(['a']).address, 'a')
})

test('without instances nothing is chosen', () => {
  assert.equal(open([]).balancer.choose(), undefined)
})

test('an instance that left the list gets nothing, and is closed when its last call has ended', async () => {
  const { balancer, taken, list, counts, state } = open(abc)
  const [one, two] = [taken(['b', 'c']), taken(['b', 'c'])]
  list(['b', 'c', 'd', 'd'])
  assert.deepEqual(counts(9), { b: 3, c: 3, d: 3 })
  one.release('reached')
  assert.deepEqual(state.closed, [])
  two.release('reached')
  assert.deepEqual(state.closed, ['a'])
  list([])
  assert.equal(balancer.choose(), undefined)
  assert.deepEqual(state.closed.sort(), ['a', 'b', 'c', 'd'])
})

test('closing waits for the calls under way, and follows the list no longer', async () => {
  const { balancer, taken, state } = open(['a', 'b'])
  const call = taken()
  let closed = false
  const closing = balancer.close().then(() => {
    closed = true
  })
  await new Promise(setImmediate)
  assert.equal(closed, false)
  call.release('reached')
  await closing
  assert.deepEqual(state.closed.sort(), ['a', 'b'])
  assert.ok(state.unfollowed)
})

test('whatever happens, nothing is chosen that is set aside while another is there, or that is not on the list', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('call' as const), outcome: fc.constantFrom('refused', 'reached', 'held') }),
    fc.record({ kind: fc.constant('list' as const), wanted: fc.subarray(['a', 'b', 'c', 'd']) }),
    fc.record({ kind: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 400 }) }),
  )
  const policies = fc.constantFrom<Policy>('round-robin', 'random', 'least-pending')
  fc.assert(
    fc.property(policies, fc.integer(), fc.array(step, { maxLength: 60 }), (policy, seed, steps) => {
      const { balancer, state, list } = open(abc, { policy, seed })
      let listed: string[] = abc
      // Of each instance that refused and was not reached since: the refusals, and the soonest that it can be tried again.
      const aside = new Map<string, { refusals: number; earliest: number }>()
      for (const action of steps) {
        if (action.kind === 'wait') state.now += action.time
        if (action.kind === 'list') {
          list(action.wanted)
          listed = action.wanted
          for (const address of aside.keys()) if (!listed.includes(address)) aside.delete(address)
        }
        if (action.kind !== 'call') continue
        const choice = balancer.choose()
        assert.equal(choice === undefined, listed.length === 0)
        if (!choice) continue
        const { address } = choice
        assert.ok(listed.includes(address))
        const before = aside.get(address)
        if (before && state.now < before.earliest) assert.ok(listed.every((other) => aside.has(other)))
        if (action.outcome === 'held') continue
        choice.release(action.outcome as 'refused' | 'reached')
        if (action.outcome === 'reached') aside.delete(address)
        else {
          const refusals = (before?.refusals ?? 0) + 1
          const pause = Math.min(5_000, 200 * 2 ** (refusals - 1))
          aside.set(address, { refusals, earliest: state.now + pause / 2 })
        }
      }
    }),
  )
})
