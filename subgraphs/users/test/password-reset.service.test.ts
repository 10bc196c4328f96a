import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createBackground } from '#platform/background.ts'
import { silentLog as log } from '#platform/log.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { hashCode } from '../domain/code.ts'
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

test('codes are good side by side until one is used, and then all have ended', async () => {
  const { user } = await users.register()
  const codes = [await codeFor(user.email), await codeFor(user.email), await codeFor(user.email)]
  users.later(899)
  await reset(user.email, codes[1] ?? '')
  for (const code of codes) await assert.rejects(reset(user.email, code), wrongCode)
  const next = await codeFor(user.email)
  for (const code of codes) await assert.rejects(reset(user.email, code), wrongCode)
  await reset(user.email, next)
})

test('of several codes that are used at once one succeeds', async () => {
  const { user } = await users.register()
  const codes = [await codeFor(user.email), await codeFor(user.email), await codeFor(user.email)]
  const outcomes = await Promise.allSettled(codes.map((code, index) => reset(user.email, code, `horse no. ${index}`)))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('each code is good for its own time', async () => {
  const { user } = await users.register()
  const first = await codeFor(user.email)
  users.later(600)
  const second = await codeFor(user.email)
  users.later(301)
  await assert.rejects(reset(user.email, first), wrongCode)
  const third = await codeFor(user.email)
  await assert.rejects(reset(user.email, first), wrongCode)
  const [kept] = await users.sql('SELECT earlier FROM one_time_codes WHERE user_id = $1 AND purpose = $2', [
    user.id,
    'RESET_PASSWORD',
  ])
  assert.deepEqual(Object.keys(kept.earlier), [hashCode(second)])
  users.later(598)
  await reset(user.email, second)
  await assert.rejects(reset(user.email, third), wrongCode)
})

test('a code that went to another address does not become good beside one for the address that there is', async () => {
  const { user } = await users.register()
  const elsewhere = await codeFor(user.email)
  await users.sql('UPDATE one_time_codes SET email = $2 WHERE user_id = $1', [user.id, 'old@example.com'])
  const code = await codeFor(user.email)
  await assert.rejects(reset(user.email, elsewhere), wrongCode)
  await reset(user.email, code)
})

test('a wrong, used, expired or foreign code and an unknown address: one error in the same words', async () => {
  const { user, caller } = await users.register()
  const code = await codeFor(user.email)
  const stranger = await users.register()
  const strangers = await codeFor(stranger.user.email)
  const verification = await users.codeFor(user.email, 'VERIFY_EMAIL')
  for (const bad of ['', 'x', strangers, verification]) await assert.rejects(reset(user.email, bad), wrongCode)
  await assert.rejects(reset('nobody@example.com', code), wrongCode)
  await assert.rejects(users.service.verifyEmail(caller, await codeFor(user.email)), wrongCode)
  const fresh = await codeFor(user.email)
  users.later(901)
  await assert.rejects(reset(user.email, fresh), wrongCode)
})

test('wrong tries end no code, write nothing and lock no account', async () => {
  const { user } = await users.register()
  await users.codeFor(user.email, 'VERIFY_EMAIL')
  const code = await codeFor(user.email)
  // Of a row that somebody locked, xmax has changed.
  const rows = () =>
    users.sql(
      `SELECT users.xmin AS changed, users.xmax AS locked, code.xmin AS code_changed, code.xmax AS code_locked
       FROM users JOIN one_time_codes AS code ON user_id = id WHERE id = $1 ORDER BY purpose`,
      [user.id],
    )
  const before = await rows()
  for (let n = 0; n < 8; n += 1) await assert.rejects(reset(user.email, 'x'), wrongCode)
  assert.deepEqual(await rows(), before)
  await reset(user.email, code)
})

test('five codes in 15 minutes are mailed, however many are asked for at once, and who gets no more has good ones', async () => {
  for (const codeLifetime of [60, 900, 86_400]) {
    const background = createBackground({ name: 'test', concurrency: 8, pauses: Array(10).fill(1), log })
    let left = 0
    const bounded = await openUsers({
      codeLifetime,
      inBackground(task) {
        left += 1
        return background.add(async () => {
          await task()
          left -= 1
        })
      },
    })
    try {
      const { user } = await bounded.register()
      const other = await bounded.register()
      const mailed = async (asked: number, email = user.email) => {
        const before = bounded.mail.length
        for (let n = 0; n < asked; n += 1) assert.equal(bounded.service.requestPasswordReset(nobody, email), undefined)
        await waitFor('all that was asked for', () => left === 0)
        return bounded.mail.slice(before).map(({ code }) => code)
      }
      await mailed(0)
      const [first = ''] = await mailed(1)
      assert.equal((await mailed(8)).length, 4)
      const window = Math.min(900, codeLifetime)
      bounded.later(window - 1)
      assert.equal((await mailed(1)).length, 0)
      assert.equal((await mailed(1, other.user.email)).length, 1)
      await bounded.service.resetPassword(nobody, { email: user.email, code: first, newPassword })
      assert.equal((await mailed(8)).length, 5)
      bounded.later(window)
      assert.equal((await mailed(8)).length, 5)
    } finally {
      await background.stop()
      await bounded.close()
    }
  }
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
