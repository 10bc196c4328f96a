import assert from 'node:assert/strict'
import { test } from 'node:test'
import { areTerms, correctedTerms, isUnspaced, parseWords } from '../domain/search.ts'
import { hostileSearches } from './hostile-searches.ts'

test('a search is its letters and digits, whatever stands between them', () => {
  assert.deepEqual(parseWords(`Oak-Chair, "black/white" & (12:*) !sofa\0`), [
    'Oak',
    'Chair',
    'black',
    'white',
    '12',
    'sofa',
  ])
  assert.deepEqual(parseWords('e\u0301te\u0301 Ödegård कुर्सी'), ['été', 'Ödegård', 'कुर्सी'])
  assert.deepEqual(parseWords('chair chair CHAIR'), ['chair', 'CHAIR'])
  for (const text of ['', ' ', "'", '😀', '\ud83d', '<-> & | !', '\0']) assert.deepEqual(parseWords(text), [], text)
})

test('a run of characters that are written without spaces is one word', () => {
  assert.deepEqual(parseWords('山田の椅子 chair椅子red'), ['山田の椅子', 'chair', '椅子', 'red'])
  for (const text of ['山田', '의자', '𠮷']) assert.ok(isUnspaced(text), text)
  for (const text of ['chair', 'a山', '12']) assert.ok(!isUnspaced(text), text)
})

test('the words of a search are bounded, whatever was typed, and make a plan that a cursor may bring back', () => {
  assert.ok(hostileSearches.length >= 200)
  for (const search of hostileSearches) {
    const words = parseWords(search)
    assert.ok(words.length <= 8)
    for (const word of words) {
      assert.ok(Array.from(word).length <= 32 && word.isWellFormed(), word)
      assert.match(word, /^[\p{L}\p{N}\p{M}]+$/u)
    }
    if (words.length > 0) assert.ok(areTerms(words.map((word) => [word])), search.slice(0, 50))
  }
})

test('what no search can have become is no plan', () => {
  const word = ['chair']
  const bad: unknown[] = [
    ...[undefined, null, 'chair', [], ['chair'], [[]], [[1]], [[null]], [[['chair']]], {}, { length: 1, 0: word }],
    ...["a'b", 'a b', 'a:*', 'a\\', '', 'a|b', 'x'.repeat(65), '椅a', '\ud800'].map((text) => [[text]]),
    ...[Array.from({ length: 9 }, () => word), [['a', 'b', 'c', 'd', 'e']]],
  ]
  for (const value of bad) assert.ok(!areTerms(value), JSON.stringify(value))
  assert.ok(areTerms([word, ['stool', 'stole']]))
})

test('words are corrected by those that are like them, and a word that is known stays as it is', () => {
  const near = [['chair'], ['guitar', 'guitars', 'sitar', 'guita'], []]
  assert.deepEqual(correctedTerms(['Chair', 'guitra', 'xyz'], near), [
    ['Chair'],
    ['guitra', 'guitar', 'guitars', 'sitar'],
    ['xyz'],
  ])
  assert.equal(correctedTerms(['chair', 'xyz'], [['chair'], []]), undefined)
})
