import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { codeBytes, hashCode, writeCode } from '../domain/code.ts'

test('a code is 20 symbols of base32 in groups of 5, and every one of its 100 bits counts', () => {
  assert.match(writeCode(randomBytes(codeBytes)), /^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/)
  const zeros = new Uint8Array(codeBytes)
  const codes = new Set([hashCode(writeCode(zeros))])
  for (let bit = 0; bit < 100; bit += 1) {
    const one = zeros.slice()
    one[Math.floor(bit / 5)] = 1 << (bit % 5)
    codes.add(hashCode(writeCode(one)))
  }
  assert.equal(codes.size, 101)
})

test('a code is the same however it is typed in', () => {
  const code = '0A1BC-D2E3F-G4H5J-K6M7N'
  for (const typed of [
    '0a1bc-d2e3f-g4h5j-k6m7n',
    ' 0A1BCD2E3F G4H5JK6M7N ',
    'OAIBC-d2e3f-g4h5j-k6m7n',
    'oalbcd2e3fg4h5jk6m7n',
  ])
    assert.equal(hashCode(typed), hashCode(code), typed)
  assert.notEqual(hashCode('0A1BC-D2E3F-G4H5J-K6M7P'), hashCode(code))
})
