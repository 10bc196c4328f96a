import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ServiceError } from '#platform/errors.ts'
import { createPasswords } from '../credentials/passwords.ts'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
let verified = 0
let failure: Error | undefined
before(async () => {
  const passwords = createPasswords({ wait: 60_000 })
  users = await openUsers({
    passwords: {
      ...passwords,
      verify(...args) {
        verified += 1
        return failure ? Promise.reject(failure) : passwords.verify(...args)
      },
    },
  })
})
after(() => users.close())

let addresses = 0
/** A caller from an address that no other test has. */
const stranger = () => ({ ...nobody, address: `198.51.100.${addresses++}` })
const wrong = { code: 'INVALID_CREDENTIALS' }
const limited = { code: 'RATE_LIMITED' }
type From = { address: string | null }
const login = (from: From, email: string, with_ = 'wrong horse') =>
  users.service.login({ ...nobody, ...from }, { email, password: with_ })

/** The codes of attempts that are made at once, with how often each came. */
async function outcomes(attempts: Promise<unknown>[]): Promise<Record<string, number>> {
  const settled = await Promise.allSettled(attempts)
  const codes = settled.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason.code) : 'ok'))
  return Object.fromEntries(
    Object.entries(Object.groupBy(codes, (code) => code)).map(([code, all]) => [code, all?.length ?? 0]),
  )
}
const times = <T>(count: number, attempt: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => attempt(n))

test('of 30 wrong passwords at once 10 are verified, and the others are refused with the time to wait', async () => {
  const { user } = await users.register()
  const from = stranger()
  verified = 0
  const codes = await outcomes(times(30, () => login(from, user.email)))
  assert.deepEqual(codes, { INVALID_CREDENTIALS: 10, RATE_LIMITED: 20 })
  assert.equal(verified, 10)
  await assert.rejects(login(from, user.email, password), (error) => {
    assert.ok(error instanceof ServiceError)
    const { retryAfter = 0 } = error.details
    return error.code === 'RATE_LIMITED' && retryAfter > 800 && retryAfter <= 900
  })
  assert.equal(verified, 10, 'also the right one is not looked at')
})

test('nobody locks another out: the owner signs in from elsewhere, and others from the same address', async () => {
  const [{ user }, other] = [await users.register(), await users.register()]
  const attacker = stranger()
  await outcomes(times(15, () => login(attacker, user.email)))
  await login(stranger(), user.email, password)
  await login(attacker, other.user.email, password)
  await assert.rejects(login(attacker, user.email, password), limited)
})

test('an address without an account is refused after as many attempts, in the same words', async () => {
  const { user } = await users.register()
  const from = stranger()
  const messages = async (email: string) => {
    const told: unknown[] = []
    for (let n = 0; n < 12; n++) await login(from, email).catch(({ code, message }) => told.push({ code, message }))
    return told
  }
  assert.deepEqual(await messages(users.newEmail()), await messages(user.email))
})

test('however the e-mail address is written, it is the same', async () => {
  const email = users.newEmail()
  const from = stranger()
  await outcomes(times(10, (n) => login(from, n % 2 ? ` ${email.toUpperCase()} ` : email)))
  await assert.rejects(login(from, email), limited)
})

test('a right password clears the failures', async () => {
  const { user } = await users.register()
  const from = stranger()
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await outcomes(times(9, () => login(from, user.email))), { INVALID_CREDENTIALS: 9 })
    await login(from, user.email, password)
  }
})

test('a reset of the password clears the failures', async () => {
  const { user } = await users.register()
  const from = stranger()
  await outcomes(times(10, () => login(from, user.email)))
  users.service.requestPasswordReset(from, user.email)
  const code = await users.codeFor(user.email, 'RESET_PASSWORD')
  await users.service.resetPassword(from, { email: user.email, code, newPassword: 'battery staple' })
  await login(from, user.email, 'battery staple')
})

test('what fails for another reason than the password is not counted', async () => {
  const { user } = await users.register()
  const from = stranger()
  failure = new ServiceError('OVERLOADED', 'Too busy now, try again.')
  const codes = await outcomes(times(10, () => login(from, user.email)))
  failure = undefined
  assert.deepEqual(codes, { OVERLOADED: 10 })
  await login(from, user.email, password)
})

test('an address that tries very many accounts is refused after 100 failures, whatever the account', async () => {
  const { user } = await users.register()
  const from = stranger()
  failure = new ServiceError('INVALID_CREDENTIALS', 'Verified in no time.')
  const codes = await outcomes(times(110, () => login(from, users.newEmail())))
  failure = undefined
  assert.deepEqual(codes, { INVALID_CREDENTIALS: 100, RATE_LIMITED: 10 })
  await assert.rejects(login(from, user.email, password), limited)
  await login(stranger(), user.email, password)
})

test('sign-ins that succeed are not counted against their address', async () => {
  const { user } = await users.register()
  const from = stranger()
  for (let n = 0; n < 3; n++) await login(from, user.email, password)
  const { ofAddress } = users.dependencies.attemptQuotas
  assert.equal((await ofAddress.charge(from.address, 0)).remaining, 100)
})

test('callers whose address is not known are one to an account, and not to all', async () => {
  const { user } = await users.register()
  const from = { address: null }
  await outcomes(times(10, () => login(from, user.email)))
  await assert.rejects(login(from, user.email), limited)
  await assert.rejects(login(from, users.newEmail()), wrong)
})

test('addresses that share the first 64 bits of IPv6 are one', async () => {
  const { user } = await users.register()
  await outcomes(times(10, (n) => login({ address: `2001:db8::${n}` }, user.email)))
  await assert.rejects(login({ address: '2001:db8::ffff' }, user.email), limited)
})

describe('whoever is signed in guesses no more often', () => {
  const guesses: Record<string, (caller: Awaited<ReturnType<Users['callerWith']>>) => Promise<unknown>> = {
    changePassword: (caller) =>
      users.service.changePassword(caller, { currentPassword: 'wrong horse', newPassword: 'battery staple' }),
    eraseAccount: (caller) => users.service.eraseAccount(caller, 'wrong horse'),
    updateProfile: (caller) =>
      users.service.updateProfile(caller, { email: users.newEmail(), currentPassword: 'wrong horse' }),
  }
  for (const [name, guess] of Object.entries(guesses)) {
    test(`by ${name}, which counts together with sign-ins`, async () => {
      const { caller, user } = await users.register()
      const from = { ...caller, ...stranger(), sub: user.id }
      await outcomes(times(4, () => login(from, user.email)))
      verified = 0
      assert.deepEqual(await outcomes(times(20, () => guess(from))), { INVALID_CREDENTIALS: 6, RATE_LIMITED: 14 })
      assert.equal(verified, 6)
      await assert.rejects(login(from, user.email, password), limited)
    })
  }
})

test('the audit log tells of what was refused, and names no e-mail address', async () => {
  const { user } = await users.register()
  const from = stranger()
  await outcomes(times(10, () => login(from, user.email)))
  users.entries.length = 0
  await assert.rejects(login(from, user.email), limited)
  assert.deepEqual(users.entries, [
    { action: 'session.refused', actor: null, address: from.address, detail: { code: 'RATE_LIMITED' } },
  ])
})
