import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeEmail, normalizePassword, parseRegistration, scopesOf } from '../domain.ts'

const good = { name: 'Eve', email: 'eve@example.com', password: 'correct horse', locale: 'en' }
const fieldAtFault = (changes: Partial<typeof good>): string | undefined => {
  try {
    parseRegistration({ ...good, ...changes })
  } catch (error) {
    return (error as { details: { field?: string } }).details.field
  }
  return undefined
}

test('a registration is brought into one form', () => {
  const input = { name: '  Zoë ', email: ' Zoë@Example.COM ', password: ' p a s s ', locale: 'zh-cn' }
  assert.deepEqual(parseRegistration(input), {
    name: 'Zoë',
    email: 'zoë@example.com',
    password: ' p a s s ',
    locale: 'zh-CN',
  })
})

test('an address is one however it is written', () => {
  assert.equal(normalizeEmail('\tEVE@EXAMPLE.com '), 'eve@example.com')
  assert.equal(normalizeEmail('zoe\u0308@x.de'), normalizeEmail('zoë@x.de'))
})

test('what is no address is refused', () => {
  const bad = [
    '',
    '@',
    'a@',
    '@b.de',
    'a@b',
    'a@b.',
    'a@.de',
    'a@b..de',
    'a b@c.de',
    'a@b c.de',
    'a,b@c.de',
    '"a"@b.de',
    `${'a'.repeat(65)}@b.de`,
  ]
  for (const email of [...bad, 'a\u0000@b.de', 'a@b.de\u0007x', `a@${'b'.repeat(260)}.de`])
    assert.equal(fieldAtFault({ email }), 'email', email)
  for (const email of ['a@b.de', 'a+b.c@d-e.co.uk', "o'neil@x.ie", '用户@例子.广告'])
    assert.equal(fieldAtFault({ email }), undefined, email)
})

test('a password has 8 to 128 characters, counted as people count', () => {
  for (const password of ['', '1234567', '🐎'.repeat(7), 'x'.repeat(129)])
    assert.equal(fieldAtFault({ password }), 'password')
  for (const password of ['12345678', '🐎'.repeat(8), 'x'.repeat(128), ' '.repeat(8)])
    assert.equal(fieldAtFault({ password }), undefined)
  assert.equal(normalizePassword('ﬁne'), normalizePassword('fine'))
})

test('a name is one line, a locale a language tag', () => {
  for (const name of ['', '   ', 'x'.repeat(101), 'a\nb', 'a\u0000b']) assert.equal(fieldAtFault({ name }), 'name')
  for (const locale of ['', 'x', 'not a locale', 'en_US', 'a'.repeat(40)])
    assert.equal(fieldAtFault({ locale }), 'locale', locale)
})

test('each role has its scopes, without repeats', () => {
  assert.deepEqual(scopesOf(['CUSTOMER']), [])
  assert.deepEqual(scopesOf(['SUPPORT', 'CUSTOMER']), ['orders:read', 'users:read'])
  assert.deepEqual(scopesOf(['MANAGER', 'SUPPORT']), [
    'catalog:write',
    'orders:fulfil',
    'orders:read',
    'payments:refund',
    'users:read',
  ])
  assert.ok(scopesOf(['ADMIN']).includes('users:write'))
})
