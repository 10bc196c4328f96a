import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { hash } from '@node-rs/argon2'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { userSignedIn } from '#contracts/events.ts'
import { hashRefreshToken } from '../credentials/tokens.ts'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

const ended = { code: 'UNAUTHENTICATED', message: 'The session has ended. Sign in again.' }
const wrong = { code: 'INVALID_CREDENTIALS', message: 'The e-mail address or the password is wrong.' }
const refresh = (token: string) => users.service.refreshSession(nobody, token)

test('an account is created with its event, which holds no secret', async () => {
  const { user } = await users.register()
  assert.deepEqual(await users.service.user(user.id), user)
  const rows = await users.sql('SELECT type, topic, sequence, data FROM outbox WHERE key = $1', [user.id])
  const data = { userId: user.id, name: 'Eve', email: user.email, locale: 'en', phone: null }
  assert.deepEqual(rows, [{ type: 'user.registered', topic: 'users', sequence: 1, data }])
})

test('of 20 registrations of one address at once one creates an account and tells of it', async () => {
  const email = users.newEmail()
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => users.register(email)))
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'created'))
  assert.deepEqual(codes.sort(), [...Array(19).fill('EMAIL_TAKEN'), 'created'])
  const rows = await users.sql(
    `SELECT (SELECT count(*)::int FROM users WHERE email = $1) AS users, (SELECT count(*)::int FROM outbox WHERE data->>'email' = $1) AS events`,
    [email],
  )
  assert.deepEqual(rows, [{ users: 1, events: 1 }])
})

test('a sign-in needs the address, in any case, and the password', async () => {
  const { user } = await users.register()
  const signedIn = await users.login(` ${user.email.toUpperCase()} `)
  assert.deepEqual(signedIn.user, user)
  await assert.rejects(users.login(user.email, 'wrong horse'), wrong)
  await assert.rejects(users.login('nobody@example.com'), wrong)
})

test('a sign-in is told, and a refused one is not', async () => {
  const { user } = await users.register()
  await users.login(user.email)
  await assert.rejects(users.login(user.email, 'wrong horse'), wrong)
  assert.deepEqual(await users.eventsOf(user.id), [
    { type: 'user.registered', sequence: 1 },
    { type: 'user.signed_in', sequence: 2 },
  ])
})

test('of several sign-ins of one account at once each has a session and is told, in order', async () => {
  const { user } = await users.register()
  const signedIn = await Promise.all(Array.from({ length: 5 }, () => users.login(user.email)))
  for (const { refreshToken } of signedIn) await refresh(refreshToken)
  const told = await users.eventsOf(user.id)
  assert.deepEqual(
    told.map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6],
  )
})

test('a session does not begin with roles that were changed since the account was read', async () => {
  const { user } = await users.register()
  const account = await users.store.findByEmail(user.email)
  assert.ok(account)
  const at = new Date()
  const session = { id: randomUUID(), userId: user.id, createdAt: at, expiresAt: at, refreshHash: randomUUID() }
  await users.store.changeAccount(user.id, at, () => ({
    user: { ...user, roles: ['CUSTOMER', 'SUPPORT'] },
    events: [],
  }))
  assert.equal(await users.store.beginSession(account, session, []), false)
  const changed = await users.store.findByEmail(user.email)
  assert.ok(changed)
  assert.equal(await users.store.beginSession(changed, session, [userSignedIn.of({ userId: user.id })]), true)
})

test('the audit log names the account of a sign-in, and never an e-mail address', async () => {
  const { user } = await users.register()
  users.entries.length = 0
  await users.login(user.email)
  await assert.rejects(users.login(user.email, 'wrong horse'), wrong)
  await assert.rejects(users.login('nobody@example.com'), wrong)
  const { address } = nobody
  const detail = { code: 'INVALID_CREDENTIALS' }
  assert.deepEqual(users.entries, [
    { action: 'session.started', actor: user.id, target: user.id, address },
    { action: 'session.refused', actor: null, target: user.id, address, detail },
    { action: 'session.refused', actor: null, address, detail },
  ])
})

test('an access token says whose it is, what it may, and until when', async () => {
  const { user, accessToken, expiresIn } = await users.register()
  const currentDate = users.clock.time
  const verified = await jwtVerify(accessToken, createLocalJWKSet(users.keys.jwks()), { currentDate, typ: 'at+jwt' })
  const { jti, sid, ...claims } = verified.payload
  const iat = currentDate.getTime() / 1000
  assert.deepEqual(claims, { sub: user.id, scope: '', iss: 'users', aud: 'graph', iat, exp: iat + 900 })
  assert.ok(jti && sid)
  assert.equal(expiresIn, 900)
})

test('a refresh token is exchanged once; one that comes back ends its session, and the audit log says so', async () => {
  const first = await users.register()
  const second = await refresh(first.refreshToken)
  assert.deepEqual(second.user, first.user)
  const third = await refresh(second.refreshToken)
  users.entries.length = 0
  await assert.rejects(refresh(first.refreshToken), ended)
  await assert.rejects(refresh(third.refreshToken), ended, 'the session has ended for both')
  assert.deepEqual(
    users.entries.map(({ action, target }) => ({ action, target })),
    [
      { action: 'session.reuse_detected', target: first.user.id },
      { action: 'session.refused', target: undefined },
    ],
  )
  await users.login(first.user.email)
})

/** The session of a refresh token, and how many tokens are kept of it. */
async function keptOf(refreshToken: string) {
  const [session] = await users.sql(
    `SELECT id, (SELECT count(*)::int FROM refresh_tokens WHERE session_id = sessions.id) AS tokens FROM sessions
     WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = $1)`,
    [hashRefreshToken(refreshToken).hash],
  )
  return session
}

test('a session keeps two refresh tokens, and each of those that were exchanged before ends it, by a refresh or a logout', async () => {
  for (const again of [refresh, (token: string) => users.service.logout(nobody, token)]) {
    for (const reused of [0, 1, 5]) {
      const tokens = [(await users.register()).refreshToken]
      for (let n = 0; n < 6; n += 1) tokens.push((await refresh(tokens.at(-1) ?? '')).refreshToken)
      const last = tokens.at(-1) ?? ''
      assert.equal(new Set(tokens).size, 7)
      assert.equal((await keptOf(last)).tokens, 2)
      await again(tokens[reused] ?? '').catch((error) => assert.deepEqual(error.code, ended.code))
      await assert.rejects(refresh(last), ended)
    }
  }
})

test('the session of a refresh token that stands alone, as all once did, goes on, and ends when one of it is reused', async () => {
  const { refreshToken } = await users.register()
  const second = (await refresh(refreshToken)).refreshToken
  await users.sql('UPDATE refresh_tokens SET hash = $2 WHERE hash = $1', [
    hashRefreshToken(second).hash,
    hashRefreshToken('alone').hash,
  ])
  const third = (await refresh('alone')).refreshToken
  const fourth = (await refresh(third)).refreshToken
  await assert.rejects(refresh(third), ended)
  await assert.rejects(refresh(fourth), ended)
})

test('of several exchanges of one refresh token at once one succeeds, and the session has ended', async () => {
  const first = (await users.register()).refreshToken
  const later = (await refresh((await users.register()).refreshToken)).refreshToken
  for (const token of [first, later]) {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => refresh(token)))
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    assert.equal(won.length, 1)
    await assert.rejects(refresh(won[0]?.value.refreshToken ?? ''), ended)
  }
})

test('a refresh token that never was, or whose session is too old, is refused', async () => {
  await assert.rejects(refresh('x'), ended)
  const { refreshToken } = await users.register()
  users.later(31 * 86_400)
  await assert.rejects(refresh(refreshToken), ended)
})

test('refresh tokens are kept as hashes', async () => {
  const { refreshToken } = await users.register()
  const rows = await users.sql('SELECT hash FROM refresh_tokens')
  assert.ok(rows.every(({ hash }) => hash !== refreshToken))
  assert.ok(rows.some(({ hash }) => hash === hashRefreshToken(refreshToken).hash))
})

test('a logout ends the session of the token and no other; an unknown or ended one is answered the same', async () => {
  const { user, refreshToken } = await users.register()
  const other = await users.login(user.email)
  const exchanged = await refresh(refreshToken)
  users.entries.length = 0
  for (const token of [exchanged.refreshToken, exchanged.refreshToken, refreshToken, 'x'])
    assert.equal(await users.service.logout(nobody, token), undefined)
  assert.deepEqual(users.entries, [
    { action: 'session.ended', actor: user.id, target: user.id, address: nobody.address },
  ])
  await assert.rejects(refresh(exchanged.refreshToken), ended)
  await refresh(other.refreshToken)
})

test('a logout ends the session also by a refresh token that was exchanged', async () => {
  const { refreshToken } = await users.register()
  const exchanged = await refresh(refreshToken)
  await users.service.logout(nobody, refreshToken)
  await assert.rejects(refresh(exchanged.refreshToken), ended)
})

test('sessions that were over for 7 days are deleted with their tokens, others are kept', async () => {
  const { user, refreshToken } = await users.register()
  const stays = await users.login(user.email)
  await users.service.logout(nobody, refreshToken)
  const count = async () =>
    (await users.sql('SELECT count(*)::int FROM sessions WHERE user_id = $1', [user.id]))[0]?.count
  users.later(6 * 86_400)
  await users.store.forgetEnded(users.clock.time)
  assert.equal(await count(), 2)
  users.later(2 * 86_400)
  await users.store.forgetEnded(users.clock.time)
  assert.equal(await count(), 1)
  const tokens = await users.sql('SELECT FROM refresh_tokens WHERE hash = $1', [hashRefreshToken(refreshToken).hash])
  assert.equal(tokens.length, 0)
  await refresh(stays.refreshToken)
})

/** Tokens that were used, of a session from before only two were kept. */
const addTokens = (sessionId: string, count: number) =>
  users.sql(
    `INSERT INTO refresh_tokens (hash, session_id, created_at, used_at)
     SELECT gen_random_uuid()::text, $1, now(), now() FROM generate_series(1, $2)`,
    [sessionId, count],
  )

test('any number of refresh tokens are deleted in batches, before their sessions', async () => {
  const { refreshToken } = await users.register()
  const { id } = await keptOf(refreshToken)
  await addTokens(id, 12_000)
  await users.service.logout(nobody, refreshToken)
  users.later(8 * 86_400)
  await users.sql(`
    CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF (SELECT count(*) FROM gone) > 5000 THEN RAISE 'too many at once'; END IF; RETURN NULL; END $$;
    CREATE TRIGGER refuse_many AFTER DELETE ON refresh_tokens REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_many()`)
  while (await users.store.forgetEnded(users.clock.time));
  await users.sql('DROP TRIGGER refuse_many ON refresh_tokens')
  const left = await users.sql('SELECT FROM refresh_tokens WHERE session_id = $1', [id])
  const sessions = await users.sql('SELECT FROM sessions WHERE id = $1', [id])
  assert.deepEqual([left.length, sessions.length], [0, 0])
})

test('a deletion that fails stops no other', async () => {
  const [kept, erased] = [await users.register(), await users.register()]
  await users.codeFor(kept.user.email, 'VERIFY_EMAIL')
  await users.service.eraseAccount(erased.caller, password)
  await users.sql('UPDATE outbox SET sent_at = now()')
  await users.service.logout(nobody, kept.refreshToken)
  users.later(8 * 86_400)
  await users.sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()`)
  await assert.rejects(users.store.forgetEnded(users.clock.time), /no/)
  await users.sql('DROP TRIGGER refuse ON sessions')
  assert.deepEqual(await users.sql('SELECT FROM one_time_codes WHERE user_id = $1', [kept.user.id]), [])
  assert.deepEqual(await users.eventsOf(erased.user.id), [{ type: 'user.erased', sequence: 2 }])
})

test('a hash with other parameters is replaced on sign-in, also by several sign-ins at once', async () => {
  const { user } = await users.register()
  const outdated = await hash(password, { memoryCost: 8 * 1024, timeCost: 1, parallelism: 1 })
  await users.sql('UPDATE users SET password_hash = $2 WHERE id = $1', [user.id, outdated])
  await Promise.all([1, 2, 3].map(() => users.login(user.email)))
  const [{ password_hash }] = await users.sql('SELECT password_hash FROM users WHERE id = $1', [user.id])
  assert.match(password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  await users.login(user.email)
})

test('a token is valid while its session goes on', async () => {
  const { user, accessToken, refreshToken } = await users.register()
  assert.deepEqual(await users.service.validateToken(accessToken), user)
  for (const token of ['', 'x', `${accessToken}x`, refreshToken])
    await assert.rejects(users.service.validateToken(token), { code: 'UNAUTHENTICATED' })
  users.later(899)
  await users.service.validateToken(accessToken)
  users.later(2)
  await assert.rejects(users.service.validateToken(accessToken), { code: 'UNAUTHENTICATED' })
})
