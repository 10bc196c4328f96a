import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseText } from '../input.ts'

const parse = (text: string) => parseText('name', text, 100)

test('a text that ends a line, turns what follows around, is half a character or cannot be seen is refused', () => {
  const hostile = [
    'a\nb',
    'a\u0000b',
    'a\u0085b',
    'a\u009bb',
    'a\u2028b',
    'a\u2029b',
    'a\u202egnp.exe',
    'a\u2066b',
    'a\ud800b',
    '\udc00',
    '\u200b',
    '\u200d\u200d',
    '\u2060 \u200b',
    '\u0301',
    '\u3164',
  ]
  for (const text of hostile) {
    assert.throws(() => parse(text), { code: 'BAD_USER_INPUT', details: { field: 'name' } }, JSON.stringify(text))
  }
})

test("people's own scripts are taken as they write them", () => {
  for (const text of ['Ève Ñandú', '王小明', 'عليرضا می\u200cخواهم', 'नमस्ते', '👩\u200d👧', "O'Brien-Šmíd, 12½"]) {
    assert.equal(parse(` ${text} `), text.normalize('NFC'))
  }
  assert.equal(parse('e\u0301'), 'é')
})
