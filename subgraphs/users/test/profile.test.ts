import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeProfile, normalizeEmail, parseProfileChange, parseRegistration } from '../domain/profile.ts'

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
    phone: null,
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
  for (const email of [
    ...bad,
    '\ud800a@b.de',
    'a@b\udc00.de',
    'a@b.d\ud800',
    'a\u0000@b.de',
    'a@b.de\u0007x',
    `a@${'b'.repeat(260)}.de`,
  ])
    assert.equal(fieldAtFault({ email }), 'email', email)
  for (const email of ['a@b.de', 'a+b.c@d-e.co.uk', "o'neil@x.ie", '用户@例子.广告'])
    assert.equal(fieldAtFault({ email }), undefined, email)
})

test('a name is one line, a locale a language tag', () => {
  for (const name of ['', '   ', 'x'.repeat(101), 'a\nb', 'a\u0000b', 'a\ud800'])
    assert.equal(fieldAtFault({ name }), 'name')
  for (const locale of ['', 'x', 'not a locale', 'en_US', 'a'.repeat(40), 'en\u0000', 'en-\ud800'])
    assert.equal(fieldAtFault({ locale }), 'locale', locale)
})

test('a phone number is E.164, however it is spaced', () => {
  for (const phone of ['', '030123456', '+0301234567', '+12345', '+1234567890123456', '+49x30123456', '٠+4930123456'])
    assert.throws(() => parseProfileChange({ phone }), { details: { field: 'phone' } }, phone)
  for (const phone of ['+4930123456', '+49 30 123-456', '+49 (30) 123.456'])
    assert.equal(parseProfileChange({ phone }).phone, '+4930123456')
})

test('what is absent stays, and null takes away only the phone number', () => {
  assert.deepEqual(parseProfileChange({ name: null, email: null, locale: null }), {})
  assert.deepEqual(parseProfileChange({ phone: null }), { phone: null })
})

test('an address that is another one is not proven, one that is written otherwise is the same', () => {
  const at = new Date(0)
  const user = { id: 'u', name: 'Eve', email: 'eve@example.com', emailVerifiedAt: at, phone: null, locale: 'en' }
  const eve = { ...user, roles: ['CUSTOMER'], createdAt: at } as const
  assert.equal(changeProfile(eve, parseProfileChange({ email: ' EVE@example.com', name: 'Eve' })), undefined)
  assert.equal(changeProfile(eve, { name: 'Zoë' })?.emailVerifiedAt, at)
  assert.equal(changeProfile(eve, { email: 'zoe@example.com' })?.emailVerifiedAt, null)
})
