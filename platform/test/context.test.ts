import assert from 'node:assert/strict'
import { test } from 'node:test'
import { continueTrace, runWithContext, timeLeft, traceId } from '../context.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = '00f067aa0ba902b7'

test('a valid traceparent is continued in its trace, under a span of our own', () => {
  for (const version of ['00', '01']) {
    const next = continueTrace(`${version}-${trace}-${parent}-01`)
    assert.match(next, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
    assert.ok(!next.includes(parent))
  }
  assert.equal(traceId(continueTrace(`cc-${trace}-${parent}-01-what-the-future-holds`)), trace)
})

test('an invalid traceparent begins a new trace', () => {
  const invalid = [
    undefined,
    '',
    'nonsense',
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-01-more`,
    `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `01-${trace}-${parent}-01more`,
  ]
  for (const traceparent of invalid) {
    const next = continueTrace(traceparent)
    assert.match(next, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, `${traceparent}`)
    assert.notEqual(traceId(next), trace)
  }
})

test('the time left is the limit or what remains until the deadline, whichever is less', () => {
  assert.equal(timeLeft(500), 500)
  const traceparent = continueTrace(undefined)
  runWithContext({ traceparent, deadline: 10_000 }, () => {
    assert.equal(timeLeft(500, 9_000), 500)
    assert.equal(timeLeft(500, 9_900), 100)
    assert.equal(timeLeft(500, 10_100), -100)
  })
})
