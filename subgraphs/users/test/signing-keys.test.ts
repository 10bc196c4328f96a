import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { createKeyRing, createKeySeal, keyStates, newSigningKey, type StoredKey } from '../credentials/signing-keys.ts'
import { createTokens } from '../credentials/tokens.ts'

const start = new Date('2026-01-01T00:00:00Z')
const after = (seconds: number) => new Date(start.getTime() + seconds * 1000)
const claims = { userId: randomUUID(), sessionId: randomUUID(), scopes: [] }

/** An instance with a clock of its own, over keys that are shared. */
function instance(kept: StoredKey[], secret?: Uint8Array) {
  const clock = { time: start }
  const now = () => clock.time
  const { open } = createKeySeal(secret)
  const ring = createKeyRing({
    load: async () => [...kept],
    remove: async (kids) => void kept.splice(0, kept.length, ...kept.filter(({ kid }) => !kids.includes(kid))),
    open,
    lifetime: 900,
    now,
  })
  const tokens = createTokens({ keys: ring, issuer: 'users', audience: 'graph', lifetime: 900, now, newId: randomUUID })
  const published = () => ring.jwks().keys.map(({ kid }) => kid)
  return { clock, ring, tokens, published, signs: () => ring.signer().kid }
}

const { seal } = createKeySeal(undefined)
const newKey = (seconds: number, delay: number) => newSigningKey({ seal, now: after(seconds), delay })

test('a new key is published at once and signs after its delay, without a restart', async () => {
  const first = await newKey(0, 0)
  const kept: StoredKey[] = [first]
  const { clock, ring, published, signs } = instance(kept)
  await ring.refresh()
  const second = await newKey(100, 900)
  kept.push(second)
  clock.time = after(102)
  await ring.refresh()
  assert.deepEqual(published(), [first.kid, second.kid])
  assert.equal(signs(), first.kid)
  clock.time = after(999)
  assert.equal(signs(), first.kid)
  clock.time = after(1000)
  assert.equal(signs(), second.kid, 'by the clock, not by a look at the database')
})

test('a superseded key stays published as long as a token of its can be valid, and is deleted then', async () => {
  const [first, second] = [await newKey(0, 0), await newKey(0, 1000)]
  const kept: StoredKey[] = [second, first]
  const { clock, ring, tokens, published } = instance(kept)
  await ring.refresh()
  clock.time = after(999)
  const last = await tokens.access(claims)
  assert.equal(decodeProtectedHeader(last).kid, first.kid)
  clock.time = after(1898)
  await ring.refresh()
  const options = { currentDate: clock.time }
  await jwtVerify(last, createLocalJWKSet(ring.jwks()), options)
  clock.time = after(1960)
  await ring.refresh()
  assert.deepEqual(published(), [first.kid, second.kid])
  clock.time = after(1961)
  assert.deepEqual(published(), [second.kid])
  await ring.refresh()
  assert.deepEqual(
    kept.map(({ kid }) => kid),
    [second.kid],
  )
})

test('instances change over together, whenever each has learnt of the key', async () => {
  const kept: StoredKey[] = [await newKey(0, 0)]
  const instances = [instance(kept), instance(kept)]
  for (const { ring } of instances) await ring.refresh()
  kept.push(await newKey(10, 900))
  for (const [index, { ring }] of instances.entries()) {
    const one = instances[index]
    if (one) one.clock.time = after(11 + index * 500)
    await ring.refresh()
  }
  for (const seconds of [909, 910]) {
    for (const one of instances) one.clock.time = after(seconds)
    assert.equal(new Set(instances.map(({ signs }) => signs())).size, 1)
  }
})

test('the only key is never gone, also before its time', async () => {
  const key = await newKey(100, 900)
  for (const seconds of [0, 1_000_000])
    assert.deepEqual(keyStates([key], { at: after(seconds), lifetime: 900 }), [{ key, state: 'signing' }])
})

test('a private key is kept encrypted with the secret, and plain ones are read beside it', async () => {
  const secret = randomBytes(32)
  const sealed = await newSigningKey({ seal: createKeySeal(secret).seal, now: start, delay: 0 })
  assert.equal(typeof sealed.privateJwk, 'string')
  assert.deepEqual(decodeProtectedHeader(String(sealed.privateJwk)), { alg: 'dir', enc: 'A256GCM' })
  const { ring, tokens } = instance([await newKey(-10, 0), sealed], secret)
  await ring.refresh()
  const token = await tokens.access(claims)
  assert.equal(decodeProtectedHeader(token).kid, sealed.kid)
  assert.deepEqual(await tokens.verify(token), { userId: claims.userId, sessionId: claims.sessionId })
})

test('with another secret or none an encrypted key is not read, and the message says so', async () => {
  const sealed = await newSigningKey({ seal: createKeySeal(randomBytes(32)).seal, now: start, delay: 0 })
  await assert.rejects(instance([sealed]).ring.refresh(), /SIGNING_KEYS_SECRET is not set/)
  await assert.rejects(instance([sealed], randomBytes(32)).ring.refresh(), /SIGNING_KEYS_SECRET is not the one/)
})

test('an encrypted key does not pass for another', async () => {
  const secret = randomBytes(32)
  const [first, second] = await Promise.all(
    [1, 2].map(() => newSigningKey({ seal: createKeySeal(secret).seal, now: start, delay: 0 })),
  )
  const swapped = { ...(first as StoredKey), privateJwk: (second as StoredKey).privateJwk }
  await assert.rejects(instance([swapped], secret).ring.refresh(), /holds another key/)
})

test('published keys have no private part', async () => {
  const { ring } = instance([await newKey(0, 0)])
  await ring.refresh()
  for (const key of ring.jwks().keys) assert.equal(key.d, undefined)
})
