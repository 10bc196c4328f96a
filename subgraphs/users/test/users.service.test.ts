import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { createPasswords } from '../credentials/passwords.ts'
import { createTokens, generateSigningKey, hashRefreshToken, type Tokens } from '../credentials/tokens.ts'
import { createUsersService, type UsersService } from '../service.ts'
import { createUsersStore, type UsersStore } from '../store.ts'

let clock = new Date('2026-01-01T00:00:00Z')
const now = () => clock
let database: ReturnType<typeof openDatabase>
let store: UsersStore
let tokens: Tokens
let service: UsersService
let client: pg.Client

before(async () => {
  const url = await createTestDatabase('users')
  database = openDatabase({ name: 'test', url, poolSize: 10, log })
  store = createUsersStore(database.adapter)
  const keys = await store.signingKeys(() => generateSigningKey(clock))
  tokens = await createTokens({ keys, issuer: 'users', audience: 'graph', lifetime: 900, now, newId: randomUUID })
  service = createUsersService({
    store,
    passwords: createPasswords(),
    tokens,
    hashRefreshToken,
    now,
    newId: randomUUID,
  })
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
after(async () => {
  await client.end()
  await store.close()
  await database.close()
})

const password = 'correct horse'
const register = (email = `${randomUUID()}@example.com`) =>
  service.register({ name: 'Eve', email, password, locale: 'en' })

test('an account is created with its event, which holds no secret', async () => {
  const { user } = await register()
  assert.deepEqual(await service.user(user.id), user)
  const { rows } = await client.query('SELECT type, topic, sequence, data FROM outbox WHERE key = $1', [user.id])
  const data = { userId: user.id, name: 'Eve', email: user.email, locale: 'en' }
  assert.deepEqual(rows, [{ type: 'user.registered', topic: 'users', sequence: 1, data }])
})

test('of 20 registrations of one address at once one creates an account and tells of it', async () => {
  const email = `${randomUUID()}@example.com`
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => register(email)))
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'created'))
  assert.deepEqual(codes.sort(), [...Array(19).fill('EMAIL_TAKEN'), 'created'])
  const { rows } = await client.query(
    `SELECT (SELECT count(*)::int FROM users WHERE email = $1) AS users, (SELECT count(*)::int FROM outbox WHERE data->>'email' = $1) AS events`,
    [email],
  )
  assert.deepEqual(rows, [{ users: 1, events: 1 }])
})

test('a password is kept as Argon2id with 19 MiB, two passes and one lane', async () => {
  const { user } = await register()
  const { rows } = await client.query('SELECT password_hash FROM users WHERE id = $1', [user.id])
  assert.match(rows[0].password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
})

test('a sign-in needs the address, in any case, and the password', async () => {
  const { user } = await register()
  const signedIn = await service.login({ email: ` ${user.email.toUpperCase()} `, password })
  assert.deepEqual(signedIn.user, user)
  const wrong = { code: 'INVALID_CREDENTIALS', message: 'The e-mail address or the password is wrong.' }
  await assert.rejects(service.login({ email: user.email, password: 'wrong horse' }), wrong)
  await assert.rejects(service.login({ email: 'nobody@example.com', password }), wrong)
})

test('an access token says whose it is, what it may, and until when', async () => {
  const { user, accessToken, expiresIn } = await register()
  const verified = await jwtVerify(accessToken, createLocalJWKSet(tokens.jwks()), { currentDate: clock, typ: 'at+jwt' })
  const { jti, sid, ...claims } = verified.payload
  const iat = clock.getTime() / 1000
  assert.deepEqual(claims, { sub: user.id, scope: '', iss: 'users', aud: 'graph', iat, exp: iat + 900 })
  assert.ok(jti && sid)
  assert.equal(expiresIn, 900)
})

test('published keys have no private part', () => {
  for (const key of tokens.jwks().keys) assert.equal(key.d, undefined)
})

test('a refresh token is exchanged once; one that comes back ends its session', async () => {
  const first = await register()
  const second = await service.refreshSession(first.refreshToken)
  assert.deepEqual(second.user, first.user)
  const third = await service.refreshSession(second.refreshToken)
  const ended = { code: 'UNAUTHENTICATED' }
  await assert.rejects(service.refreshSession(first.refreshToken), ended)
  await assert.rejects(service.refreshSession(third.refreshToken), ended, 'the session has ended for both')
  await service.login({ email: first.user.email, password })
})

test('of two exchanges of one refresh token at once, one succeeds at the most', async () => {
  const { refreshToken } = await register()
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => service.refreshSession(refreshToken)))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('a refresh token that never was, or whose session is too old, is refused', async () => {
  await assert.rejects(service.refreshSession('x'), { code: 'UNAUTHENTICATED' })
  const { refreshToken } = await register()
  clock = new Date(clock.getTime() + 31 * 86_400_000)
  await assert.rejects(service.refreshSession(refreshToken), { code: 'UNAUTHENTICATED' })
})

test('refresh tokens are kept as hashes', async () => {
  const { refreshToken } = await register()
  const { rows } = await client.query('SELECT hash FROM refresh_tokens')
  assert.ok(rows.every(({ hash }) => hash !== refreshToken))
  assert.ok(rows.some(({ hash }) => hash === hashRefreshToken(refreshToken)))
})

test('instances that start together share one signing key', async () => {
  const url = await createTestDatabase('users')
  const instances = Array.from({ length: 4 }, () => {
    const database = openDatabase({ name: 'test', url, poolSize: 2, log })
    return { database, store: createUsersStore(database.adapter) }
  })
  const keys = await Promise.all(instances.map(({ store }) => store.signingKeys(() => generateSigningKey(clock))))
  assert.equal(new Set(keys.flat().map(({ kid }) => kid)).size, 1)
  for (const { store, database } of instances) {
    await store.close()
    await database.close()
  }
})

test('what is no id is no account', async () => {
  for (const id of ['', 'x', randomUUID()]) await assert.rejects(service.user(id), { code: 'NOT_FOUND' })
})
