import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

const newPassword = 'battery staple'
const wrongCode = {
  code: 'INVALID_CREDENTIALS',
  message: 'The code is wrong or no longer good. Ask for a new one.',
  details: {},
}
const reset = (email: string, code: string, password = newPassword) =>
  users.service.resetPassword(nobody, { email, code, newPassword: password })

async function codeFor(email: string): Promise<string> {
  const before = users.mail.filter(({ user, purpose }) => user.email === email && purpose === 'RESET_PASSWORD').length
  users.service.requestPasswordReset(nobody, ` ${email.toUpperCase()} `)
  return users.codeFor(email, 'RESET_PASSWORD', before)
}

test('a code sets a password once, ends every session, and proves the address', async () => {
  const { user, refreshToken } = await users.register()
  const code = await codeFor(user.email)
  const signedIn = await reset(user.email, code.toLowerCase().replaceAll('-', ' '))
  assert.ok(signedIn.user.emailVerifiedAt)
  await assert.rejects(users.service.refreshSession(nobody, refreshToken), { code: 'UNAUTHENTICATED' })
  await users.service.refreshSession(nobody, signedIn.refreshToken)
  await users.login(user.email, newPassword)
  await assert.rejects(reset(user.email, code), wrongCode)
})

test('of many uses of one code at once one succeeds', async () => {
  const { user } = await users.register()
  const code = await codeFor(user.email)
  const outcomes = await Promise.allSettled(
    [...Array(8)].map((_, index) => reset(user.email, code, `horse no. ${index}`)),
  )
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('a wrong, used, replaced, expired or foreign code and an unknown address: one error in the same words', async () => {
  const { user, caller } = await users.register()
  const replaced = await codeFor(user.email)
  const code = await codeFor(user.email)
  const stranger = await users.register()
  const strangers = await codeFor(stranger.user.email)
  const verification = await users.codeFor(user.email, 'VERIFY_EMAIL')
  for (const bad of ['', 'x', replaced, strangers, verification])
    await assert.rejects(reset(user.email, bad), wrongCode)
  await assert.rejects(reset('nobody@example.com', code), wrongCode)
  await assert.rejects(users.service.verifyEmail(caller, await codeFor(user.email)), wrongCode)
  const fresh = await codeFor(user.email)
  users.later(901)
  await assert.rejects(reset(user.email, fresh), wrongCode)
})

test('after five wrong tries a code is good for nothing, however many come at once, and a new one is', async () => {
  const { user } = await users.register()
  const code = await codeFor(user.email)
  await Promise.allSettled([...Array(4)].map(() => reset(user.email, 'x')))
  await assert.rejects(reset(user.email, 'x'), wrongCode)
  await assert.rejects(reset(user.email, code), wrongCode)
  const next = await codeFor(user.email)
  await Promise.allSettled([...Array(4)].map(() => reset(user.email, 'x')))
  await reset(user.email, next)
})

test('a password that is refused leaves the code as it was', async () => {
  const { user } = await users.register()
  const code = await codeFor(user.email)
  await assert.rejects(reset(user.email, code, 'password1'), { details: { field: 'newPassword' } })
  const named = await users.service.register(nobody, {
    name: 'Eve of the Name',
    email: users.newEmail(),
    password,
    locale: 'en',
  })
  const namedCode = await codeFor(named.user.email)
  await assert.rejects(reset(named.user.email, namedCode, 'eve of the name'), { details: { field: 'newPassword' } })
  await reset(named.user.email, namedCode)
  await reset(user.email, code)
})

test('a code is kept as a hash, and stands in no event and no audit entry', async () => {
  const { user } = await users.register()
  const code = await codeFor(user.email)
  await reset(user.email, code)
  const next = await codeFor(user.email)
  const kept = JSON.stringify([
    await users.sql('SELECT * FROM one_time_codes'),
    await users.sql('SELECT * FROM outbox'),
    users.entries,
  ])
  for (const text of [code, next, next.replaceAll('-', '')]) assert.ok(!kept.includes(text))
  assert.ok(!JSON.stringify(users.entries).includes('@'), 'nor does an address stand in the audit log')
})

test('a request for an unknown address is answered as any, at once, and sends nothing', async () => {
  const { user } = await users.register()
  const before = users.mail.length
  assert.equal(users.service.requestPasswordReset(nobody, 'nobody@example.com'), undefined)
  assert.equal(users.service.requestPasswordReset(nobody, 'no address'), undefined)
  await codeFor(user.email)
  assert.deepEqual(
    users.mail
      .slice(before)
      .filter(({ purpose }) => purpose === 'RESET_PASSWORD')
      .map((sent) => sent.user.email),
    [user.email],
  )
})

const noAddresses = ['no address', 'a\0@example.com', '\ud800@example.com', 'eve@example.com\udc00']

test('for what is no address nothing is queued, and a full queue does not refuse it', async () => {
  const full = await openUsers({ inBackground: () => false })
  for (const text of noAddresses) assert.equal(full.service.requestPasswordReset(nobody, text), undefined)
  assert.throws(() => full.service.requestPasswordReset(nobody, 'nobody@example.com'), { code: 'OVERLOADED' })
  await full.close()
})

test('a code, and a sign-in, for what is no address is refused as for one that is unknown', async () => {
  for (const text of noAddresses) {
    await assert.rejects(reset(text, 'x'), wrongCode)
    await assert.rejects(users.login(text), { code: 'INVALID_CREDENTIALS' })
  }
})

test('a mail that fails is tried again with the same code', async () => {
  const tried: string[] = []
  const failing = await openUsers({
    async sendCode({ purpose, code }) {
      if (purpose !== 'RESET_PASSWORD') return
      tried.push(code)
      if (tried.length < 3) throw new Error('not now')
    },
  })
  try {
    const { user } = await failing.register()
    failing.service.requestPasswordReset(nobody, user.email)
    while (tried.length < 3) await new Promise(setImmediate)
    assert.equal(new Set(tried).size, 1)
    await failing.service.resetPassword(nobody, { email: user.email, code: tried[0] ?? '', newPassword })
  } finally {
    await failing.close()
  }
})

test('where there is no room for more mail a request is refused with OVERLOADED, and an account is made all the same', async () => {
  const full = await openUsers({ inBackground: () => false })
  try {
    const { user } = await full.register()
    for (const email of [user.email, 'nobody@example.com'])
      assert.throws(() => full.service.requestPasswordReset(nobody, email), { code: 'OVERLOADED' })
  } finally {
    await full.close()
  }
})

test('a refusal takes as long for an unknown address as for a known one, at sign-in and at reset', async () => {
  const { user } = await users.register()
  await codeFor(user.email)
  const attempts = {
    // From an address for each: none is refused before its password is verified.
    login: (email: string, round: number) =>
      users.service.login({ ...nobody, address: `198.51.100.${round}` }, { email, password: 'wrong horse' }),
    reset: (email: string) => reset(email, 'x'),
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    /** Milliseconds of CPU, of all threads: how long it takes would depend more on others on the machine. */
    const timeOf = async (email: string, round: number) => {
      const before = process.cpuUsage()
      await assert.rejects(attempt(email, round), { code: 'INVALID_CREDENTIALS' })
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1_000
    }
    const ratios: number[] = []
    for (let round = 0; round < 25; round += 1) {
      const known = await timeOf(user.email, round)
      ratios.push(known / (await timeOf('nobody@example.com', round)))
    }
    // Of a pair that ran one after the other, since others on the machine use its caches too. Half of an Argon2 hash would be seen.
    const median = ratios.sort((a, b) => a - b)[12] ?? Number.NaN
    assert.ok(median > 0.8 && median < 1.25, `${name}: a known address takes ${median} times as long`)
  }
})
