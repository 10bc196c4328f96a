import assert from 'node:assert/strict'
import { test } from 'node:test'
import { continueTrace, runWithContext, timeLeft, traceId } from '../context.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = '00f067aa0ba902b7'
const valid = `00-${trace}-${parent}-01`
const fresh = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/

/** What is passed on of a list that came with a valid traceparent. */
const passed = (...tracestate: string[]) => continueTrace({ traceparent: valid, tracestate }).tracestate

// Cases as in the recommendation's own test suite: https://github.com/w3c/trace-context/blob/main/test/test.py

test('a valid traceparent is continued in its trace, under a span of our own', () => {
  const { traceparent } = continueTrace({ traceparent: valid })
  assert.match(traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
  assert.ok(!traceparent.includes(parent))
  assert.equal(traceId(traceparent), trace)
})

test('a traceparent of a later version is read as far as it is known, and passed on as version 00', () => {
  for (const version of ['01', 'cc', 'fe']) {
    for (const rest of ['', '-', '-what-the-future-will-be-like', '-01.02 03']) {
      const { traceparent, tracestate } = continueTrace({
        traceparent: `${version}-${trace}-${parent}-01${rest}`,
        tracestate: 'foo=1',
      })
      assert.match(traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
      assert.equal(tracestate, 'foo=1')
    }
  }
})

test('of the flags the one that is known is passed on', () => {
  const flagsOf = (flags: string, version = '00') =>
    continueTrace({ traceparent: `${version}-${trace}-${parent}-${flags}` }).traceparent.slice(-3)
  for (const flags of ['01', '03', '09', 'ff']) assert.equal(flagsOf(flags), '-01')
  for (const flags of ['00', '02', '08', 'fe']) assert.equal(flagsOf(flags), '-00')
  assert.equal(flagsOf('ff', 'cc'), '-01')
})

test('an invalid traceparent begins a new trace, and what came with it is not read', () => {
  const zeros = '0'.repeat(32)
  const invalid = {
    missing: undefined,
    empty: '',
    nonsense: 'nonsense',
    'of one version more than there are': `ff-${trace}-${parent}-01`,
    'with an illegal version': [`.0-${trace}-${parent}-01`, `0.-${trace}-${parent}-01`, `0A-${trace}-${parent}-01`],
    'with a long version': [`000-${trace}-${parent}-01`, `0000-${trace}-${parent}-01`],
    'with a short version': [`0-${trace}-${parent}-01`, `${trace}-${parent}-01`],
    'with a trace id of zeros': `00-${zeros}-${parent}-01`,
    'with an illegal trace id': [`00-.${trace.slice(1)}-${parent}-01`, `00-${trace.slice(1)}.-${parent}-01`],
    'with a trace id in capitals': `00-${trace.toUpperCase()}-${parent}-01`,
    'with a long trace id': `00-${trace}3-${parent}-01`,
    'with a short trace id': `00-${trace.slice(1)}-${parent}-01`,
    'with a parent id of zeros': `00-${trace}-${zeros.slice(16)}-01`,
    'with an illegal parent id': [`00-${trace}-.${parent.slice(1)}-01`, `00-${trace}-${parent.slice(1)}.-01`],
    'with a parent id in capitals': `00-${trace}-${parent.toUpperCase()}-01`,
    'with a long parent id': `00-${trace}-${parent}7-01`,
    'with a short parent id': `00-${trace}-${parent.slice(1)}-01`,
    'with illegal flags': [`00-${trace}-${parent}-.0`, `00-${trace}-${parent}-0.`, `00-${trace}-${parent}-0A`],
    'with long flags': `00-${trace}-${parent}-001`,
    'with short flags': [`00-${trace}-${parent}-1`, `00-${trace}-${parent}-`, `00-${trace}-${parent}`],
    'of version 00 that goes on': [`${valid}.`, `${valid}-`, `${valid}-what-the-future-will-be-like`, `${valid}\n`],
    'of a later version that goes on without a dash': `cc-${trace}-${parent}-01.what-the-future-will-be-like`,
    'of a later version that is too short': [`cc-${trace}-${parent}-1`, `cc-${trace}-${parent}`],
    'of a later version with an id of zeros': [`cc-${zeros}-${parent}-01`, `cc-${trace}-${zeros.slice(16)}-01-x`],
  }
  for (const [name, values] of Object.entries(invalid)) {
    for (const traceparent of [values].flat()) {
      const continued = continueTrace({ traceparent, tracestate: 'foo=1' })
      assert.deepEqual(Object.keys(continued), ['traceparent'], name)
      assert.match(continued.traceparent, fresh, name)
      assert.notEqual(traceId(continued.traceparent), trace, name)
    }
  }
})

test('two traceparents begin a new trace, of whichever version, joined or not', () => {
  const later = `cc-${trace}-${parent}-01-more`
  for (const two of [
    [valid, valid],
    [valid, ''],
    ['', valid],
    [later, valid],
    [later, later],
  ]) {
    for (const traceparent of [two, two.join(','), two.join(', ')]) {
      const continued = continueTrace({ traceparent, tracestate: 'foo=1' })
      assert.match(continued.traceparent, fresh)
      assert.notEqual(traceId(continued.traceparent), trace)
      assert.equal(continued.tracestate, undefined)
    }
  }
})

test('every span has an id of its own, and every new trace', () => {
  const length = 10_000
  const spans = Array.from({ length }, () => continueTrace({ traceparent: valid }).traceparent.slice(36, 52))
  assert.equal(new Set(spans).size, length)
  const traces = Array.from({ length }, () => traceId(continueTrace({}).traceparent))
  assert.equal(new Set(traces).size, length)
})

test('a tracestate is passed on with its entries in their order', () => {
  assert.equal(passed('foo=1,bar=2'), 'foo=1,bar=2')
  assert.equal(passed('foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'), 'foo=1,bar=2,rojo=1,congo=2,baz=3')
  assert.equal(passed('foo=1,bar=2, rojo=1, congo=2'), 'foo=1,bar=2,rojo=1,congo=2')
})

test('empty members and whitespace around members are passed over', () => {
  for (const empty of [[''], [' \t '], [',,'], ['', '']]) assert.equal(passed(...empty), undefined)
  for (const one of [['foo=1', ''], ['', 'foo=1'], [',foo=1,'], [' foo=1'], ['\tfoo=1'], ['foo=1 '], ['\t foo=1 \t']]) {
    assert.equal(passed(...one), 'foo=1')
  }
  for (const three of [
    'foo=1 \t , \t bar=2, \t baz=3',
    'foo=1\t \t,\t \tbar=2,\t \tbaz=3',
    'foo=1,, ,bar=2,\t,baz=3',
  ]) {
    assert.equal(passed(three), 'foo=1,bar=2,baz=3')
  }
  assert.equal(passed('foo=  1 1  ,bar=2'), 'foo=  1 1,bar=2', 'whitespace before and within a value belongs to it')
})

test('every character that a key or a value may have is passed on', () => {
  const key = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/'
  const printable = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index)).join('')
  const value = printable.replace(/[,=]/g, '')
  for (const whole of [`${key}=${value}`, `${key}@a-z0-9_-*/=${value}`, `0${key}@a=${value}`]) {
    assert.equal(passed(whole), whole)
  }
})

test('a tracestate with a fault is dropped as a whole, and the trace goes on', () => {
  const faulty = {
    'the same key twice': ['foo=1,foo=1', 'foo=1,foo=2', 'foo=1,bar=2,foo=1', 't@foo=1,t@foo=2'],
    'a key with an illegal character': ['foo =1', 'FOO=1', 'foo.bar=1', 'f\u00f6\u00f6=1', 'foo\t=1'],
    'a key that begins with what it must not': ['1foo=1', '_foo=1', '-foo=1', '*foo=1', '/foo=1', '@foo=1', 'foo@1=1'],
    'a key of more than a tenant and a system': ['foo@=1', 'foo@@bar=1', 'foo@bar@baz=1'],
    'no key': ['=1', '='],
    'no value': ['foo=', 'foo= ', 'foo'],
    'a value with an illegal character': [
      'foo=bar=baz',
      'foo=a\tb',
      'foo=\u00fc',
      'foo=a\u007f',
      'foo=\u00a0',
      'foo=1\n',
    ],
    'a key that is too long': [`${'z'.repeat(257)}=1`, `${'t'.repeat(242)}@v=1`, `t@${'v'.repeat(15)}=1`],
    'a value that is too long': [`foo=${'v'.repeat(257)}`],
  }
  for (const [name, lists] of Object.entries(faulty)) {
    for (const list of lists) {
      for (const tracestate of [list, `good=1,${list}`, `${list},good=1`, ['good=1', list]]) {
        const continued = continueTrace({ traceparent: valid, tracestate })
        assert.equal(continued.tracestate, undefined, `${name}: ${tracestate}`)
        assert.equal(traceId(continued.traceparent), trace, name)
      }
    }
  }
})

test('the longest keys and values are passed on', () => {
  for (const longest of [`${'z'.repeat(256)}=1`, `${'t'.repeat(241)}@${'v'.repeat(14)}=1`, `foo=${'v'.repeat(256)}`]) {
    assert.equal(passed('good=1', longest), `good=1,${longest}`)
  }
})

test('a tracestate has at most 32 entries, empty ones not counted', () => {
  const entries = Array.from({ length: 33 }, (_, index) => `bar${index}=${index}`)
  assert.equal(passed(...entries.slice(0, 32)), entries.slice(0, 32).join(','))
  assert.equal(passed(entries.slice(0, 32).join(',,')), entries.slice(0, 32).join(','))
  assert.equal(passed(...entries), undefined)
})

test('at least 512 characters of a tracestate are passed on, and at most 2,048', () => {
  const entries = (count: number) => Array.from({ length: count }, (_, index) => `k${index + 10}=${'v'.repeat(60)}`)
  for (const count of [8, 31, 32]) {
    const list = entries(count).join(',')
    assert.equal(passed(list), list.length <= 2_048 ? list : entries(31).join(','))
  }
  const exact = [...entries(31), `k41=${'v'.repeat(2_048 - entries(31).join(',').length - 5)}`].join(',')
  assert.equal(exact.length, 2_048)
  assert.equal(passed(exact), exact)
  assert.equal(passed(`${exact}v`), entries(31).join(','))
})

test('of a tracestate that is too long whole entries go: large ones from the end, then any from the end', () => {
  const large = (key: string) => `${key}=${'v'.repeat(250)}`
  const small = (key: string, characters = 128) => `${key}=${'v'.repeat(characters - key.length - 1)}`
  const keysOf = (list = '') => list.split(',').map((entry) => entry.split('=')[0])
  const mixed = [small('a'), large('b'), ...'cdefgh'.split('').map((key) => small(key)), large('i'), small('j')]
  assert.deepEqual(
    keysOf(passed([...mixed, large('k'), large('l'), ...'mno'.split('').map((key) => small(key))].join(','))),
    [...'abcdefghijmno'],
  )
  const many = [large('z'), ...'abcdefghijklmnopq'.split('').map((key) => small(key))]
  assert.deepEqual(keysOf(passed(many.join(','))), [...'abcdefghijklmno'])
})

test('the time left is the limit or what remains until the deadline, whichever is less', () => {
  assert.equal(timeLeft(500), 500)
  const { traceparent } = continueTrace({})
  runWithContext({ traceparent, deadline: 10_000 }, () => {
    assert.equal(timeLeft(500, 9_000), 500)
    assert.equal(timeLeft(500, 9_900), 100)
    assert.equal(timeLeft(500, 10_100), -100)
  })
})
