import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose'
import {
  createPrincipalSigner,
  createPrincipalVerifier,
  createServiceTokens,
  createServiceTokenVerifier,
  identityRule,
  identitySettings,
  type Principal,
} from '../principal.ts'
import { testKeys } from './keys.ts'

const principal: Principal = { sub: 'u1', sid: 's1', scopes: ['users:read'], anonymous: false, address: '::1' }
const start = new Date('2026-01-01T00:00:00Z')
const at = (seconds: number) => () => new Date(start.getTime() + seconds * 1000)

const { privateKeys, keys } = await testKeys('gateway', 'orders', 'products')
const refused = { code: 'UNAUTHENTICATED' }

test('a principal survives signing and verification', async () => {
  const token = await createPrincipalSigner({ key: privateKeys.gateway, now: at(0) })(principal)
  assert.deepEqual(await createPrincipalVerifier({ keys, now: at(1) })(token), principal)
})

test('a principal token is reused until half its life, then renewed', async () => {
  let seconds = 0
  const sign = createPrincipalSigner({ key: privateKeys.gateway, now: () => at(seconds)() })
  const first = await sign(principal)
  seconds = 29
  assert.equal(await sign(principal), first)
  assert.notEqual(await sign({ ...principal, scopes: [] }), first)
  seconds = 30
  assert.notEqual(await sign(principal), first)
})

test('a principal token is refused after it expired, remembered or not', async () => {
  const token = await createPrincipalSigner({ key: privateKeys.gateway, now: at(0) })(principal)
  let seconds = 59
  const verify = createPrincipalVerifier({ keys, now: () => at(seconds)() })
  await verify(token)
  seconds = 66
  await assert.rejects(verify(token), refused)
})

test("only the gateway's key may vouch for a user", async () => {
  const verify = createPrincipalVerifier({ keys, now: at(0) })
  const byOrders = await createPrincipalSigner({ key: privateKeys.orders, now: at(0) })(principal)
  await assert.rejects(verify(byOrders), refused)
  const inTheGatewaysName = await createPrincipalSigner({
    key: { ...privateKeys.orders, kid: 'gateway.test' },
    now: at(0),
  })(principal)
  await assert.rejects(verify(inTheGatewaysName), refused)
})

test('a principal that is missing, unsigned, altered or signed with an unknown key is refused', async () => {
  const verify = createPrincipalVerifier({ keys, now: at(0) })
  const good = await createPrincipalSigner({ key: privateKeys.gateway, now: at(0) })(principal)
  const [head, , signature] = good.split('.')
  const altered = Buffer.from(JSON.stringify({ ...decodeJwt(good), principal: { ...principal, sub: 'u2' } })).toString(
    'base64url',
  )
  const unsigned = new UnsecuredJWT({ principal })
    .setIssuer('gateway')
    .setAudience('subgraphs')
    .setExpirationTime('1h')
    .encode()
  const stranger = await testKeys('gateway')
  const foreign = await createPrincipalSigner({ key: stranger.privateKeys.gateway, now: at(0) })(principal)
  const hmac = await new SignJWT({ principal })
    .setProtectedHeader({ alg: 'HS256', kid: 'gateway.test' })
    .setIssuer('gateway')
    .setAudience('subgraphs')
    .setExpirationTime('1h')
    .sign(Buffer.from(privateKeys.gateway.x))
  for (const token of [
    undefined,
    '',
    'x',
    'a.b.c',
    unsigned,
    foreign,
    hmac,
    `${head}.${altered}.${signature}`,
    `${head}.${altered}.`,
  ]) {
    await assert.rejects(verify(token), refused)
  }
})

test('a service token names its caller, to its audience alone', async () => {
  const token = await createServiceTokens({ key: privateKeys.orders, now: at(0) })('products')
  const verify = (audience: string, seconds = 0) =>
    createServiceTokenVerifier({ keys, audience, now: at(seconds) })(token)
  assert.equal(await verify('products'), 'orders')
  await assert.rejects(verify('users'), refused)
  await assert.rejects(verify('products', 70), refused)
})

test('a service starts with a key of its own, whose public half its peers have', () => {
  const faults = (SERVICE_PRIVATE_KEY: object, SERVICE_JWKS: object) =>
    identityRule('orders')({ SERVICE_PRIVATE_KEY, SERVICE_JWKS } as Parameters<ReturnType<typeof identityRule>>[0])
  assert.deepEqual(faults(privateKeys.orders, keys), [])
  assert.deepEqual(faults(privateKeys.gateway, keys), ['SERVICE_PRIVATE_KEY: is not a key of orders'])
  for (const others of [[], keys.keys.map((key) => ({ ...key, x: privateKeys.gateway.x }))]) {
    assert.match(String(faults(privateKeys.orders, { keys: others })), /^SERVICE_JWKS/)
  }
})

test('a key says whose it is', () => {
  const parse = (kid: string) =>
    identitySettings.SERVICE_JWKS.safeParse(JSON.stringify({ keys: [{ ...keys.keys[0], kid }] })).success
  assert.ok(parse('orders.3f9c'))
  for (const kid of ['', 'gatewayX', 'gateway.', '.x', 'Gateway.x', 'gateway .x', 'gateway.x.y']) {
    assert.equal(parse(kid), false, kid)
  }
})

test('a principal is no service token, and a service token no principal', async () => {
  const user = await createPrincipalSigner({ key: privateKeys.gateway, now: at(0) })(principal)
  await assert.rejects(createServiceTokenVerifier({ keys, audience: 'products', now: at(0) })(user), refused)
  const service = await createServiceTokens({ key: privateKeys.gateway, now: at(0) })('subgraphs')
  await assert.rejects(createPrincipalVerifier({ keys, now: at(0) })(service), refused)
})
