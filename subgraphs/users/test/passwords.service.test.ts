import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

const newPassword = 'battery staple'

test('a password is kept as Argon2id with 19 MiB, two passes and one lane', async () => {
  const { user } = await users.register()
  const rows = await users.sql('SELECT password_hash FROM users WHERE id = $1', [user.id])
  assert.match(rows[0].password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
})

test('a change of password ends all other sessions, begins one, and is told and audited', async () => {
  const { caller, user, refreshToken } = await users.register()
  const other = await users.login(user.email)
  users.entries.length = 0
  const changed = await users.service.changePassword(caller, { currentPassword: password, newPassword })
  for (const token of [refreshToken, other.refreshToken])
    await assert.rejects(users.service.refreshSession(nobody, token), { code: 'UNAUTHENTICATED' })
  await users.service.refreshSession(nobody, changed.refreshToken)
  await assert.rejects(users.login(user.email), { code: 'INVALID_CREDENTIALS' })
  await users.login(user.email, newPassword)
  assert.deepEqual(
    (await users.eventsOf(user.id)).map(({ type }) => type),
    ['user.registered', 'user.signed_in', 'user.password_changed', 'user.signed_in'],
  )
  assert.deepEqual(users.entries[0], {
    action: 'password.changed',
    actor: user.id,
    target: user.id,
    address: nobody.address,
  })
})

test('a change of password needs an account, the current password and a good new one', async () => {
  const { caller, user } = await users.register()
  const change = (currentPassword: string, newPassword: string, by: typeof nobody | typeof caller = caller) =>
    users.service.changePassword(by, { currentPassword, newPassword })
  await assert.rejects(change(password, newPassword, nobody), { code: 'UNAUTHENTICATED' })
  await assert.rejects(change('wrong horse', newPassword), { code: 'INVALID_CREDENTIALS' })
  for (const bad of ['short', 'password1', user.email, user.email.toUpperCase()])
    await assert.rejects(change(password, bad), { code: 'BAD_USER_INPUT', details: { field: 'newPassword' } })
  await users.login(user.email)
})

test('an account changes its password five times in 15 minutes, and whoever guesses takes none of them', async () => {
  const { caller } = await users.register()
  const change = (currentPassword: string, newPassword: string) =>
    users.service.changePassword(caller, { currentPassword, newPassword })
  await assert.rejects(change('wrong horse', newPassword), { code: 'INVALID_CREDENTIALS' })
  let current = password
  for (const next of [1, 2, 3, 4, 5].map((n) => `${newPassword} ${n}`)) {
    await change(current, next)
    current = next
  }
  await assert.rejects(change(current, newPassword), ({ code, details }) => {
    return code === 'RATE_LIMITED' && details.retryAfter > 0 && details.retryAfter <= 900
  })
})

test('a common password, and the own address, do not make an account', async () => {
  const email = users.newEmail()
  for (const bad of ['Password1', email, email.split('@')[0] ?? ''])
    await assert.rejects(
      users.service.register(nobody, { name: 'Eve', email, password: bad, locale: 'en' }),
      { code: 'BAD_USER_INPUT', details: { field: 'password' } },
      bad,
    )
})

test('of two changes of password at once one takes place', async () => {
  const { caller } = await users.register()
  const outcomes = await Promise.allSettled(
    ['battery staple 1', 'battery staple 2'].map((newPassword) =>
      users.service.changePassword(caller, { currentPassword: password, newPassword }),
    ),
  )
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})
