import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStatementNames } from '../database/prepared.ts'

test('a statement is prepared from its fifth use on, and keeps its name', () => {
  const nameOf = createStatementNames()
  const names = Array.from({ length: 7 }, () => nameOf({ sql: 'SELECT 1' }))
  assert.deepEqual(names.slice(0, 4), ['', '', '', ''])
  assert.match(String(names[4]), /^commerce_/)
  assert.deepEqual(names.slice(4), [names[4], names[4], names[4]])
})

test('a name stands for one text, and there is a bound to how many there are', () => {
  const nameOf = createStatementNames()
  const given = new Map<string, number>()
  for (let use = 0; use < 6; use++) {
    for (let text = 0; text < 150; text++) {
      const name = nameOf({ sql: `SELECT ${text}` })
      if (name === '') continue
      assert.equal(given.get(name) ?? text, text)
      given.set(name, text)
    }
  }
  assert.equal(given.size, 100)
})

test('a statement that comes once leaves nothing behind, however many of them come', () => {
  const nameOf = createStatementNames()
  for (let text = 0; text < 10_000; text++) assert.equal(nameOf({ sql: `SELECT ${text}` }), '')
})
