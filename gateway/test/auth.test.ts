import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { base64url, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { type AuthenticatorOptions, createAuthenticator } from '../auth.ts'

const now = new Date('2026-01-01T00:00:00Z')
const seconds = now.getTime() / 1000
const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
const publicJwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }
/** What users answers when it is asked for its keys. */
let answer: { status: number; body: string } | 'nothing'
const good200 = { status: 200, body: JSON.stringify({ keys: [publicJwk] }) }
const server = createServer((_request, response) => {
  if (answer === 'nothing') response.destroy()
  else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
})
let jwksUrl: string

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
})
beforeEach(() => {
  answer = good200
})
after(() => server.close())

const authenticator = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({ jwksUrl, issuer: 'users', audience: 'graph', now: () => now, ...options })
const good: JWTPayload = {
  sub: 'u1',
  sid: 's1',
  scope: 'a b',
  jti: 'j',
  iss: 'users',
  aud: 'graph',
  iat: seconds,
  exp: seconds + 900,
}

function sign(claims: JWTPayload = good, header: object = {}, key = privateKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k1', ...header }).sign(key)
}

test('no token is an anonymous principal', async () => {
  const principal = await authenticator()(undefined, '10.0.0.1')
  assert.deepEqual(principal, { sub: null, sid: null, scopes: [], anonymous: true, address: '10.0.0.1' })
})

test('a valid token is its account, with its scopes', async () => {
  const principal = await authenticator()(`Bearer ${await sign()}`, '10.0.0.1')
  assert.deepEqual(principal, { sub: 'u1', sid: 's1', scopes: ['a', 'b'], anonymous: false, address: '10.0.0.1' })
})

test('without a key set everyone is anonymous, whatever they send', async () => {
  const authenticate = createAuthenticator({ jwksUrl: undefined, issuer: 'users', audience: 'graph' })
  assert.equal((await authenticate('Bearer x', '::1')).anonymous, true)
})

test('a token that is not ours, not for us or not valid now is refused', async () => {
  const authenticate = authenticator()
  const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const [head, body] = (await sign()).split('.')
  const forged = base64url.encode(JSON.stringify({ ...good, sub: 'admin' }))
  const bad = {
    expired: await sign({ ...good, exp: seconds - 10 }),
    'not yet valid': await sign({ ...good, nbf: seconds + 60 }),
    'of another issuer': await sign({ ...good, iss: 'other' }),
    'for another audience': await sign({ ...good, aud: 'other' }),
    'without expiry': await sign(Object.fromEntries(Object.entries(good).filter(([name]) => name !== 'exp'))),
    'without subject': await sign(Object.fromEntries(Object.entries(good).filter(([name]) => name !== 'sub'))),
    'of another type': await sign(good, { typ: 'JWT' }),
    'of an unknown key': await sign(good, { kid: 'k2' }),
    'signed by a stranger': await sign(good, {}, stranger.privateKey),
    'with a key of its own': await sign(good, { jwk: await exportJWK(stranger.publicKey) }, stranger.privateKey),
    unsigned: new UnsecuredJWT(good).encode(),
    'signed with the public key': await new SignJWT(good)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })
      .sign(base64url.decode(publicJwk.x ?? '')),
    altered: `${head}.${forged}.${(await sign()).split('.')[2]}`,
    stripped: `${head}.${body}.`,
  }
  for (const [what, token] of Object.entries(bad)) {
    await assert.rejects(authenticate(`Bearer ${token}`, '::1'), { code: 'UNAUTHENTICATED' }, what)
  }
  for (const header of ['', 'Bearer', 'Bearer ', 'Basic dTpw', 'Bearer a b', `Token ${await sign()}`]) {
    await assert.rejects(authenticate(header, '::1'), { code: 'UNAUTHENTICATED' }, header)
  }
})

test('a token that was verified once is refused after it expired', async () => {
  let time = now
  const authenticate = createAuthenticator({ jwksUrl, issuer: 'users', audience: 'graph', now: () => time })
  const token = await sign()
  await authenticate(`Bearer ${token}`, '::1')
  time = new Date(now.getTime() + 906_000)
  await assert.rejects(authenticate(`Bearer ${token}`, '::1'), {
    code: 'UNAUTHENTICATED',
    message: 'The access token has expired.',
  })
})

test('keys that are known are used on while they cannot be fetched, and others may have been published since', async () => {
  const authenticate = authenticator({ keySetAge: 0 })
  const token = () => sign({ ...good, jti: crypto.randomUUID() })
  await authenticate(`Bearer ${await token()}`, '::1')
  answer = 'nothing'
  for (let n = 0; n < 3; n++) assert.equal((await authenticate(`Bearer ${await token()}`, '::1')).sub, 'u1')
  const byNewKey = await sign(good, { kid: 'k2' })
  await assert.rejects(authenticate(`Bearer ${byNewKey}`, '::1'), { code: 'SUBGRAPH_UNAVAILABLE' })
  const forged = await sign(good, {}, (await generateKeyPair('EdDSA')).privateKey)
  await assert.rejects(authenticate(`Bearer ${forged}`, '::1'), { code: 'UNAUTHENTICATED' })
})

test('a token whose key was withdrawn is refused as soon as the key set has been fetched that lacks it', async () => {
  const successor = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const successorJwk = { ...publicJwk, ...(await exportJWK(successor.publicKey)), kid: 'k2' }
  for (const byNextCaller of [sign(good, { kid: 'k2' }, successor.privateKey), sign({ ...good, jti: 'other' })]) {
    answer = good200
    const authenticate = authenticator({ keySetAge: 0.05 })
    const header = `Bearer ${await sign()}`
    // The first time fetches the key set, the second is remembered.
    for (let n = 0; n < 2; n++) await authenticate(header, '::1')
    answer = { status: 200, body: JSON.stringify({ keys: [successorJwk] }) }
    await sleep(60)
    assert.equal((await authenticate(header, '::1')).sub, 'u1')
    await authenticate(`Bearer ${await byNextCaller}`, '::1').catch(() => {})
    await assert.rejects(authenticate(header, '::1'), { code: 'UNAUTHENTICATED' })
  }
})

test('a refused token is told, with its address and without itself', async () => {
  const told: string[] = []
  const onRefused = (...entry: string[]) => void told.push(entry.join(' '))
  const authenticate = authenticator({ onRefused })
  for (const header of ['Bearer a.b.c', 'Basic x']) await assert.rejects(authenticate(header, '10.0.0.9'))
  assert.deepEqual(told, [
    '10.0.0.9 The access token is not valid.',
    '10.0.0.9 The Authorization header holds no bearer token.',
  ])
})

test('while the keys cannot be fetched, nobody is refused for it', async () => {
  const token = await sign()
  const failures = [
    'nothing' as const,
    { status: 500, body: 'boom' },
    { status: 503, body: good200.body },
    { status: 200, body: '<html>' },
    { status: 200, body: '{}' },
    { status: 200, body: '{"keys":[1]}' },
  ]
  for (const failure of failures) {
    answer = failure
    const attempt = authenticator()(`Bearer ${token}`, '::1')
    await assert.rejects(attempt, { code: 'SUBGRAPH_UNAVAILABLE' }, JSON.stringify(failure))
  }
})
