import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { SignedIn } from '../domain/account.ts'
import { nobody, openUsers, password, type Users } from './open-users.ts'

/** What stops at once and what at the access token's expiry: a test for each row of the table in docs/identity.md. */

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

/** Whether the gateway, which asks nobody, takes the token. */
async function isAccepted(token: string): Promise<boolean> {
  const options = { currentDate: users.clock.time, typ: 'at+jwt' }
  return jwtVerify(token, createLocalJWKSet(users.keys.jwks()), options).then(
    () => true,
    () => false,
  )
}
const ended = { code: 'UNAUTHENTICATED' }
const refresh = ({ refreshToken }: SignedIn) => users.service.refreshSession(nobody, refreshToken)
const validate = ({ accessToken }: SignedIn) => users.service.validateToken(accessToken)

/** The access token acts until it expires, and not longer. */
async function actsUntilExpiry({ accessToken }: SignedIn): Promise<void> {
  users.later(890)
  assert.ok(await isAccepted(accessToken))
  users.later(20)
  assert.ok(!(await isAccepted(accessToken)))
}

describe('after a logout', () => {
  test('refresh and ValidateToken stop at once, the access token at its expiry', async () => {
    const session = await users.register()
    await users.service.logout(nobody, session.refreshToken)
    await assert.rejects(refresh(session), ended)
    await assert.rejects(validate(session), ended)
    await actsUntilExpiry(session)
  })
  test('other sessions go on', async () => {
    const session = await users.register()
    const other = await users.login(session.user.email)
    await users.service.logout(nobody, session.refreshToken)
    await validate(other)
    await refresh(other)
  })
})

describe('after a change of password', () => {
  test('refresh and ValidateToken of every session stop at once, access tokens at their expiry', async () => {
    const session = await users.register()
    const other = await users.login(session.user.email)
    await users.service.changePassword(session.caller, { currentPassword: password, newPassword: 'battery staple' })
    for (const old of [session, other]) {
      await assert.rejects(refresh(old), ended)
      await assert.rejects(validate(old), ended)
    }
    await actsUntilExpiry(other)
  })
  test('the old password and a code for a reset stop at once', async () => {
    const { user, caller } = await users.register()
    users.service.requestPasswordReset(nobody, user.email)
    const code = await users.codeFor(user.email, 'RESET_PASSWORD')
    await users.service.changePassword(caller, { currentPassword: password, newPassword: 'battery staple' })
    await assert.rejects(users.login(user.email), { code: 'INVALID_CREDENTIALS' })
    const attempt = { email: user.email, code, newPassword: 'staple battery' }
    await assert.rejects(users.service.resetPassword(nobody, attempt), { code: 'INVALID_CREDENTIALS' })
  })
})

test('after a reset refresh of every session stops at once, access tokens at their expiry', async () => {
  const session = await users.register()
  const { email } = session.user
  users.service.requestPasswordReset(nobody, email)
  const code = await users.codeFor(email, 'RESET_PASSWORD')
  await users.service.resetPassword(nobody, { email, code, newPassword: 'battery staple' })
  await assert.rejects(refresh(session), ended)
  await assert.rejects(validate(session), ended)
  await actsUntilExpiry(session)
})

test('a reused refresh token ends its session at once, the access token at its expiry', async () => {
  const session = await users.register()
  const next = await refresh(session)
  await assert.rejects(refresh(session), ended)
  await assert.rejects(refresh(next), ended)
  await assert.rejects(validate(next), ended)
  await actsUntilExpiry(next)
})

test('a role that is taken away acts until the access token expires, and is not in the next one', async () => {
  const { sub } = await users.callerWith('SUPPORT')
  const admin = { ...nobody, sub, scopes: ['users:write'] }
  const session = await users.login((await users.service.user(sub)).email)
  assert.equal(decodeJwt(session.accessToken).scope, 'orders:read users:read')
  await users.service.setUserRoles(admin, { userId: sub, roles: ['CUSTOMER'] })
  assert.ok(await isAccepted(session.accessToken))
  const next = await refresh(session)
  assert.equal(decodeJwt(next.accessToken).scope, '')
  await actsUntilExpiry(session)
})

describe('after an erasure', () => {
  test('sign-in, refresh, ValidateToken and codes stop at once, in the words for an account that never was', async () => {
    const session = await users.register()
    const { email } = session.user
    users.service.requestPasswordReset(nobody, email)
    const code = await users.codeFor(email, 'RESET_PASSWORD')
    await users.service.eraseAccount(session.caller, password)
    const messageOf = (attempt: Promise<unknown>) =>
      attempt.then(
        () => assert.fail('it goes on'),
        ({ code, message }) => ({ code, message }),
      )
    assert.deepEqual(await messageOf(users.login(email)), await messageOf(users.login('nobody@example.com')))
    assert.deepEqual(
      await messageOf(refresh(session)),
      await messageOf(users.service.refreshSession(nobody, 'a token that never was')),
    )
    const attempt = { code, newPassword: 'battery staple' }
    assert.deepEqual(
      await messageOf(users.service.resetPassword(nobody, { ...attempt, email })),
      await messageOf(users.service.resetPassword(nobody, { ...attempt, email: 'nobody@example.com' })),
    )
    await assert.rejects(validate(session), ended)
  })
  test('the account is NOT_FOUND at once to itself and to peers, so that nothing is ordered for it', async () => {
    const { caller, user } = await users.register()
    await users.service.eraseAccount(caller, password)
    await assert.rejects(users.service.userFor(caller, user.id), { code: 'NOT_FOUND' })
    await assert.rejects(users.service.user(user.id), { code: 'NOT_FOUND' })
    assert.deepEqual(await users.service.usersByIds([user.id]), [])
    assert.deepEqual(await users.store.findUsers([user.id]), [])
  })
  test('the access token is accepted until it expires', async () => {
    const session = await users.register()
    await users.service.eraseAccount(session.caller, password)
    await actsUntilExpiry(session)
  })
})
