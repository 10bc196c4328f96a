import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextAttempt, parseCodeRequest } from '../domain.ts'
import { orderPlaced, resetPassword, verifyEmail, welcome } from '../templates/english.ts'

test('pauses double up to an hour, and a delivery is given up after a day', () => {
  const createdAt = new Date(0)
  let time = createdAt
  const pauses: number[] = []
  for (let attempt = 1; ; attempt++) {
    const next = nextAttempt({ attempt, createdAt }, time)
    if (!next) break
    pauses.push((next.getTime() - time.getTime()) / 1000)
    time = next
  }
  assert.deepEqual(pauses.slice(0, 5), [1, 2, 4, 8, 16])
  assert.equal(Math.max(...pauses), 3_600)
  assert.ok(time.getTime() <= 86_400_000 && time.getTime() > 82_000_000)
})

test('texts name what they are about, money as people write it', () => {
  assert.deepEqual(welcome({ name: 'Eve' }).title, 'Welcome, Eve')
  const items = [{ name: 'Kettle', quantity: 2, unitPrice: { amount: 1_250, currency: 'EUR' } }]
  const { title, body } = orderPlaced({ number: 'AAAA-BBBB', items, total: { amount: 2_500, currency: 'EUR' } })
  assert.equal(title, 'Order AAAA-BBBB placed')
  assert.match(body, /2 x Kettle, €25\.00/)
  assert.match(orderPlaced({ number: 'N', items: [], total: { amount: 2_500, currency: 'JPY' } }).body, /Total: ¥2,500/)
})

test('a code stands on a line of its own in the body alone, with the whole minutes it is good for and what to do unasked', () => {
  for (const template of [resetPassword, verifyEmail]) {
    const mail = (lifetime: number) => template({ name: 'Eve', code: 'K7QX3M9T', lifetime })
    const { title, body } = mail(900)
    assert.ok(body.startsWith('Hello Eve,\n'))
    assert.equal(body.split('\n').filter((line) => line === 'K7QX3M9T').length, 1)
    assert.ok(!title.includes('K7QX3M9T'))
    assert.match(body, /good for 15 minutes/)
    assert.match(mail(119).body, /good for 1 minute,/)
    assert.match(mail(59).body, /good for less than a minute,/)
    assert.match(body, /If you did not ask for it, .*do nothing/is)
  }
  assert.match(resetPassword({ name: 'Eve', code: 'c', lifetime: 60 }).body, /your password stays as it is/)
  assert.match(verifyEmail({ name: 'Eve', code: 'c', lifetime: 60 }).body, /confirm that this e-mail address is yours/)
})

test('a code is mailed for a known purpose to an address, and a refusal repeats nothing of what was sent', () => {
  const request = {
    userId: '0B2F9A1C-1111-4222-8333-444455556666',
    email: 'eve@example.com',
    name: ' Eve ',
    purpose: 'VERIFY_EMAIL',
    code: ' K7QX3M9T ',
    lifetime: 900,
  }
  assert.deepEqual(parseCodeRequest(request), {
    userId: '0b2f9a1c-1111-4222-8333-444455556666',
    recipient: { email: 'eve@example.com', name: 'Eve' },
    purpose: 'VERIFY_EMAIL',
    code: 'K7QX3M9T',
    lifetime: 900,
  })
  const bad = [
    ['userId', 'eve'],
    ['email', ''],
    ['email', 'nowhere'],
    ['email', 'eve@example.com\r\nBcc: all@example.com'],
    ['name', ''],
    ['purpose', 'PURPOSE_UNSPECIFIED'],
    ['purpose', 'toString'],
    ['code', ' '],
    ['code', `${'K7QX3M9T'.repeat(20)}`],
    ['lifetime', 0],
  ] as const
  for (const [field, value] of bad) {
    assert.throws(
      () => parseCodeRequest({ ...request, [field]: value }),
      (error: Error & { code: string; details: object }) => {
        assert.equal(error.code, 'BAD_USER_INPUT')
        assert.deepEqual(error.details, { field })
        assert.doesNotMatch(error.message, /K7QX3M9T|example\.com/)
        return true
      },
    )
  }
})
