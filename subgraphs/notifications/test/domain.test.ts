import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCodeRequest } from '../domain/code.ts'
import { nextAttempt } from '../domain/delivery.ts'

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

test('a pause is no shorter than the other side asks for, and never longer than an hour', () => {
  const pauseOf = (attempt: number, asked: number) =>
    Number(nextAttempt({ attempt, createdAt: new Date(0) }, new Date(0), asked)) / 1000
  assert.deepEqual([pauseOf(1, 120), pauseOf(9, 120), pauseOf(1, 86_400)], [120, 256, 3_600])
})

test('a code is mailed for a known purpose to an address, and a refusal repeats nothing of what was sent', () => {
  const request = {
    userId: '0B2F9A1C-1111-4222-8333-444455556666',
    email: 'eve@example.com',
    name: ' Eve ',
    locale: 'en',
    purpose: 'VERIFY_EMAIL',
    code: ' K7QX3M9T ',
    lifetime: 900,
  }
  assert.deepEqual(parseCodeRequest(request), {
    userId: '0b2f9a1c-1111-4222-8333-444455556666',
    recipient: { email: 'eve@example.com', name: 'Eve' },
    locale: 'en',
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
