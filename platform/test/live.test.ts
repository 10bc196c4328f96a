import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, live, type Parsed, readEnv } from '../env.ts'
import { createLive } from '../live.ts'

const settings = {
  LIMIT: live(integer(1, 100).default(10)),
  LOW: live(integer(0).default(1)),
  HIGH: live(integer(0).default(9)),
  FIXED: integer(0).default(7),
}
type Values = Partial<Parsed<typeof settings>>
const ordered = ({ LOW = 0, HIGH = 0, FIXED = 0 }: Values) =>
  LOW > HIGH || HIGH > FIXED * 100 ? ['HIGH: must be between LOW and a hundred times FIXED'] : []

function open(env: Record<string, string> = {}) {
  const rules = [ordered]
  const settingsNow = createLive({ settings, rules }, readEnv(settings, rules, env))
  const take = (own: Record<string, string>, all: Record<string, string> = {}) => {
    const { changed, refused } = settingsNow.take({
      own: new Map(Object.entries(own)),
      all: new Map(Object.entries(all)),
    })
    return { changed: Object.fromEntries(changed), refused: refused.map(({ setting }) => setting), reasons: refused }
  }
  return { live: settingsNow, take }
}

test('a value that is given goes before that of the environment, and one for this process before one for all', () => {
  const { live, take } = open({ LIMIT: '20' })
  assert.equal(live.current.LIMIT, 20)
  assert.deepEqual(take({}, { LIMIT: '30' }).changed, { LIMIT: '30' })
  assert.equal(live.current.LIMIT, 30)
  take({ LIMIT: '40' }, { LIMIT: '30' })
  assert.equal(live.current.LIMIT, 40)
  take({}, { LIMIT: '31' })
  assert.equal(live.current.LIMIT, 31)
})

test('a value that is given no more leaves that of the environment, or the default', () => {
  const { live, take } = open({ LIMIT: '20' })
  take({ LIMIT: '30', LOW: '2' })
  assert.deepEqual(take({}).changed, { LIMIT: undefined, LOW: undefined })
  assert.deepEqual([live.current.LIMIT, live.current.LOW], [20, 1])
  assert.deepEqual(live.counts, { applied: 0, refused: 0 })
})

test('a value that is not good is refused, told of once, and the last good one stays', () => {
  const { live, take } = open()
  take({ LIMIT: '30' })
  for (const bad of ['many', '0', '1.5', '', ' ', '1'.repeat(5_000)]) {
    assert.deepEqual(take({ LIMIT: bad }).refused, ['LIMIT'], bad)
    assert.deepEqual(take({ LIMIT: bad }).refused, [], bad)
    assert.equal(live.current.LIMIT, 30)
  }
  assert.deepEqual(live.counts, { applied: 1, refused: 1 })
  take({ LIMIT: '31' })
  assert.deepEqual([live.current.LIMIT, live.counts.refused], [31, 0])
})

test('where no value was good before, one for all counts, or else the environment', () => {
  const { live, take } = open({ LIMIT: '20' })
  take({ LIMIT: 'many' })
  assert.equal(live.current.LIMIT, 20)
  take({ LIMIT: 'many' }, { LIMIT: '30' })
  assert.equal(live.current.LIMIT, 30)
})

test('the reason for a refusal never shows the value', () => {
  const { take } = open()
  for (const reason of take({ LIMIT: 'hunter2', FIXED: 'hunter2', SECRET: 'hunter2' }).reasons) {
    assert.doesNotMatch(JSON.stringify(reason), /hunter2/)
  }
})

test('what is not live or not known is refused, and what is not known among what is for all is for others', () => {
  const { live, take } = open()
  const before = live.current
  const { refused, reasons } = take({ FIXED: '8', OTHER: '1', __proto__x: '1', constructor: '1' }, { THEIRS: '1' })
  assert.deepEqual(refused, ['FIXED', 'OTHER', '__proto__x', 'constructor'])
  assert.deepEqual(
    reasons.map(({ known }) => known),
    [true, false, false, false],
  )
  assert.deepEqual(take({ FIXED: '8' }, { FIXED: '9' }).refused, [])
  assert.deepEqual(take({}, { FIXED: '9' }).refused, ['FIXED'])
  assert.equal(live.current, before)
})

test('values meet the rules of the start, together', () => {
  const { live, take } = open()
  assert.deepEqual(take({ LOW: '50', HIGH: '60' }).changed, { LOW: '50', HIGH: '60' })
  const { refused, reasons } = take({ LOW: '70', HIGH: '60', LIMIT: '5' })
  assert.deepEqual(refused, ['LOW'])
  assert.match(reasons[0]?.reason ?? '', /between LOW and/)
  assert.deepEqual([live.current.LOW, live.current.HIGH, live.current.LIMIT], [50, 60, 5])
  assert.deepEqual(take({ HIGH: '9999' }).refused, ['HIGH'])
  assert.deepEqual([live.current.LOW, live.current.HIGH], [1, 60])
})

test('a value that is good by itself is refused when it does not fit to what is left of others', () => {
  const { live, take } = open()
  take({ LOW: '50', HIGH: '60' })
  assert.deepEqual(take({ LOW: '50' }).refused, ['LOW'])
  assert.deepEqual([live.current.LOW, live.current.HIGH], [1, 9])
})

test('all of a change is seen or nothing, and nothing is made anew when nothing changed', () => {
  const { live, take } = open()
  const before = live.current
  take({ LIMIT: '30', LOW: '2' })
  assert.deepEqual([before.LIMIT, before.LOW], [10, 1])
  const after = live.current
  take({ LIMIT: '30', LOW: '2' }, { LOW: '3' })
  assert.equal(live.current, after)
})
