import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ServiceError } from '#platform/errors.ts'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

const wrongCode = { code: 'INVALID_CREDENTIALS', message: 'The code is wrong or no longer good. Ask for a new one.' }

test('a profile changes in what is given, and tells of it', async () => {
  const { caller, user } = await users.register()
  const changed = await users.service.updateProfile(caller, { name: ' Zoë ', phone: '+49 30 123456', locale: 'de-de' })
  assert.deepEqual(changed, { ...user, name: 'Zoë', phone: '+4930123456', locale: 'de-DE' })
  assert.deepEqual(await users.service.user(user.id), changed)
  const [event] = await users.sql("SELECT sequence, data FROM outbox WHERE key = $1 AND type = 'user.updated'", [
    user.id,
  ])
  assert.deepEqual(event, {
    sequence: 2,
    data: { userId: user.id, name: 'Zoë', email: user.email, locale: 'de-DE', phone: '+4930123456' },
  })
})

test('another phone number is told, and so is that there is none any more', async () => {
  const { caller, user } = await users.register()
  for (const phone of ['+49 30 123456', null]) await users.service.updateProfile(caller, { phone })
  assert.equal((await users.service.user(user.id))?.phone, null)
  const told = await users.sql("SELECT data->'phone' AS phone FROM outbox WHERE key = $1 ORDER BY id", [user.id])
  assert.deepEqual(
    told.map(({ phone }) => phone),
    [null, '+4930123456', null],
  )
})

test('an account that is created with a phone number tells it', async () => {
  const user = await users.service.createUser(nobody, {
    name: 'Eve',
    email: users.newEmail(),
    password,
    locale: 'en',
    phone: '+49 30 123456',
  })
  const [event] = await users.sql('SELECT data FROM outbox WHERE key = $1', [user.id])
  assert.equal(event.data.phone, '+4930123456')
})

test('a change that changes nothing is not told', async () => {
  const { caller, user } = await users.register()
  await users.service.updateProfile(caller, { name: 'Eve', email: user.email.toUpperCase(), locale: 'en' })
  await users.service.updateProfile(caller, {})
  assert.deepEqual(
    (await users.eventsOf(user.id)).map(({ type }) => type),
    ['user.registered'],
  )
})

test('another address needs the password, counts as unverified and gets a code; the old codes are good no longer', async () => {
  const { caller, user } = await users.register()
  const old = await users.codeFor(user.email, 'VERIFY_EMAIL')
  users.service.requestPasswordReset(nobody, user.email)
  const reset = await users.codeFor(user.email, 'RESET_PASSWORD')
  await users.service.verifyEmail(caller, old)
  const email = users.newEmail()
  await assert.rejects(users.service.updateProfile(caller, { email }), { details: { field: 'currentPassword' } })
  await assert.rejects(users.service.updateProfile(caller, { email, currentPassword: 'wrong horse' }), {
    code: 'INVALID_CREDENTIALS',
  })
  const changed = await users.service.updateProfile(caller, { email, currentPassword: password })
  assert.deepEqual([changed.email, changed.emailVerifiedAt], [email, null])
  await users.login(email)
  await assert.rejects(users.login(user.email), { code: 'INVALID_CREDENTIALS' })
  for (const address of [email, user.email]) {
    const attempt = { email: address, code: reset, newPassword: 'battery staple' }
    await assert.rejects(users.service.resetPassword(nobody, attempt), wrongCode)
  }
  const verified = await users.service.verifyEmail(caller, await users.codeFor(email, 'VERIFY_EMAIL'))
  assert.ok(verified.emailVerifiedAt)
})

test('an address that has an account is taken, also by two at once', async () => {
  const [first, second, third] = [await users.register(), await users.register(), await users.register()]
  const move = (caller: typeof first.caller, email: string) =>
    users.service.updateProfile(caller, { email, currentPassword: password })
  await assert.rejects(move(first.caller, third.user.email.toUpperCase()), { code: 'EMAIL_TAKEN' })
  const email = users.newEmail()
  const outcomes = await Promise.allSettled([move(first.caller, email), move(second.caller, email)])
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'moved'))
  assert.deepEqual(codes.sort(), ['EMAIL_TAKEN', 'moved'])
})

test('a registration gets a code that proves its address, once', async () => {
  const { caller, user } = await users.register()
  assert.equal(user.emailVerifiedAt, null)
  const code = await users.codeFor(user.email, 'VERIFY_EMAIL')
  users.entries.length = 0
  const verified = await users.service.verifyEmail(caller, code)
  assert.deepEqual(verified, { ...user, emailVerifiedAt: users.clock.time })
  assert.deepEqual(
    users.entries.map(({ action, actor }) => ({ action, actor })),
    [{ action: 'email.verified', actor: user.id }],
  )
  await assert.rejects(users.service.verifyEmail(caller, code), wrongCode)
})

test("a code proves nothing for another's account", async () => {
  const [eve, mallory] = [await users.register(), await users.register()]
  const code = await users.codeFor(eve.user.email, 'VERIFY_EMAIL')
  await assert.rejects(users.service.verifyEmail(mallory.caller, code), wrongCode)
  await assert.rejects(users.service.verifyEmail(nobody, code), { code: 'UNAUTHENTICATED' })
  await users.service.verifyEmail(eve.caller, code)
})

test('a new code is good beside the old one, for the own address alone, until it is verified', async () => {
  const { caller, user } = await users.register()
  const first = await users.codeFor(user.email, 'VERIFY_EMAIL')
  await assert.rejects(users.service.requestEmailVerification(caller, 'other@example.com'), {
    code: 'BAD_USER_INPUT',
    details: { field: 'email' },
  })
  await users.service.requestEmailVerification(caller, user.email.toUpperCase())
  const second = await users.codeFor(user.email, 'VERIFY_EMAIL', 1)
  await users.service.verifyEmail(caller, first)
  await assert.rejects(users.service.verifyEmail(caller, second), wrongCode)
  await assert.rejects(users.service.requestEmailVerification(caller, user.email), { code: 'ILLEGAL_TRANSITION' })
})

test('an account has five codes mailed to its address, or to others, until it has to wait; another account has its own', async () => {
  const [eve, bob] = [await users.register(), await users.register()]
  const email = users.newEmail()
  await users.service.updateProfile(eve.caller, { email, currentPassword: password })
  for (let n = 0; n < 4; n += 1) await users.service.requestEmailVerification(eve.caller, email)
  const refused = (error: unknown) => {
    assert.ok(error instanceof ServiceError)
    const { retryAfter = 0 } = error.details
    return error.code === 'RATE_LIMITED' && retryAfter > 800 && retryAfter <= 900
  }
  await assert.rejects(users.service.requestEmailVerification(eve.caller, email), refused)
  const next = { email: users.newEmail(), currentPassword: password }
  await assert.rejects(users.service.updateProfile(eve.caller, next), refused)
  assert.equal((await users.service.user(eve.user.id)).email, email)
  await users.service.updateProfile(eve.caller, { name: 'Eva' })
  await users.service.requestEmailVerification(bob.caller, bob.user.email)
})

test('a code carries the seconds that are left of it', async () => {
  const { user } = await users.register()
  await users.codeFor(user.email, 'VERIFY_EMAIL')
  assert.equal(users.mail.findLast((sent) => sent.user.email === user.email)?.lifetime, 900)
})

test('nothing of a profile changes for nobody, or for an account that is gone', async () => {
  const gone = { ...nobody, sub: crypto.randomUUID() }
  for (const [caller, code] of [
    [nobody, 'UNAUTHENTICATED'],
    [gone, 'NOT_FOUND'],
  ] as const) {
    await assert.rejects(users.service.updateProfile(caller, { name: 'Eve' }), { code })
    await assert.rejects(users.service.eraseAccount(caller, password), { code })
    await assert.rejects(users.service.requestEmailVerification(caller, 'a@b.de'), { code })
  }
})
