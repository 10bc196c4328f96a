import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCommonPassword } from '../credentials/common-passwords.ts'
import { normalizePassword, parsePassword, refuseGuessable } from '../domain/password.ts'

const refused = { code: 'BAD_USER_INPUT', details: { field: 'password' } }

test('a password has 8 to 128 characters, counted as people count', () => {
  for (const password of ['', '1234567', '🐎'.repeat(7), 'x'.repeat(129)])
    assert.throws(() => parsePassword('password', password), refused)
  for (const password of ['12345678', '🐎'.repeat(8), '🐎'.repeat(128), 'x'.repeat(128), ' '.repeat(8)])
    assert.equal(parsePassword('password', password), password)
})

test('half a surrogate pair is in no password', () => {
  assert.throws(() => parsePassword('password', `correct horse \ud800`), refused)
})

test('passwords that look the same are the same, and count as what they are then', () => {
  assert.equal(normalizePassword('ﬁne'), normalizePassword('fine'))
  // Seven characters before and fourteen after; eight before and four after.
  assert.equal(parsePassword('password', 'ﬁ'.repeat(7)), 'fi'.repeat(7))
  assert.throws(() => parsePassword('password', 'e\u0301'.repeat(4)), refused)
})

test('a common password and the own address or name are refused, in any letter case', () => {
  const owner = { email: 'eve.example@example.com', name: 'Eve Example' }
  const refuse = (password: string) => () =>
    refuseGuessable('password', password, { isCommon: isCommonPassword, owner })
  for (const password of ['password1', 'PassWord1', '12345678', 'iloveyou', 'QwertyUiop', ' trustno1 '])
    assert.throws(refuse(password), refused, password)
  for (const password of ['eve.example@example.com', 'EVE.EXAMPLE', 'eve example', ' Eve Example '])
    assert.throws(refuse(password), refused, password)
  for (const password of ['correct horse', 'eve example 7', '        ']) refuse(password)()
})
