import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cpuTimeOf } from '../../../test/infra/cpu-time.ts'
import { parseJson, readJson } from '../json.ts'

const refused = (text: string) => assert.throws(() => parseJson(text), { code: 'BAD_REQUEST' }, text.slice(0, 80))

test('what JSON.stringify writes is read as it was, whatever it holds', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value)
      // Names that JavaScript gives a meaning, and numbers that no double holds, are refused on purpose.
      if (text.includes('"__proto__"') || /\d{16}|\de[+-]?\d/i.test(text)) return
      assert.deepEqual(parseJson(text), JSON.parse(text))
    }),
    { numRuns: 1_000 },
  )
})

describe('a name that occurs twice in one object is refused', () => {
  const twice = ['{"a":1,"a":1}', '{"a":1, "\\u0061":2}', '{"x":{"a":1,"b":[],"a":2}}', '[{"a":1},{"a":1,"a" :2}]']
  for (const text of twice) test(text, () => refused(text))
  test('not in different ones, and not as a value', () => {
    const text = '{"a":{"a":"a"},"b":[{"a":1},{"a":"b\\"a\\\\"}]}'
    assert.deepEqual(parseJson(text), JSON.parse(text))
  })
})

test('names that JavaScript gives a meaning are refused', () => {
  for (const text of ['{"__proto__":{}}', '{"a":{"\\u005f_proto__":1}}']) refused(text)
})

test('a number that a double does not hold is refused; one that it rounds is not', () => {
  for (const text of ['9007199254740993', '{"a":1e400}', '[-1E999]', '1'.repeat(400), '[18446744073709551615]'])
    refused(text)
  for (const text of ['9007199254740991', '1e300', '0.1000000000000000055', '-0', '1E+2', '123456789.123456789']) {
    assert.equal(parseJson(text), JSON.parse(text))
  }
})

test('values that are nested deeper than 64 are refused, however deep', () => {
  assert.ok(parseJson('['.repeat(64) + ']'.repeat(64)))
  for (const depth of [65, 100_000]) {
    refused('['.repeat(depth) + ']'.repeat(depth))
    refused('{"a":'.repeat(depth) + 1 + '}'.repeat(depth))
    refused('['.repeat(depth))
  }
})

test('bytes are UTF-8, with or without its mark', () => {
  assert.deepEqual(readJson(Buffer.from('\ufeff{"a":"ä"}')), { a: 'ä' })
  for (const bytes of [
    Buffer.from('"ä"', 'latin1'),
    Buffer.from('"a"', 'utf16le'),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  ]) {
    assert.throws(() => readJson(bytes), { code: 'BAD_REQUEST' })
  }
})

test('a hostile body of the largest size is looked at in little time', () => {
  const size = 256 * 1024
  const names = Array.from({ length: 20_000 }, (_, n) => `"${n}":1`).join(',')
  const hostile = [
    `{${names}}`,
    `"${'\\"'.repeat(size / 2)}"`,
    `["${'\\\\'.repeat(size / 2)}"]`,
    `[${'"",'.repeat(size / 3)}""]`,
  ]
  for (const text of hostile) {
    const time = cpuTimeOf(() => parseJson(text))
    assert.ok(time < 200, `${text.slice(0, 20)}: ${time} ms`)
  }
})
