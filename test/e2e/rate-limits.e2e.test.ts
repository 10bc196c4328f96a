import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { request } from 'undici'
import { type RedisServer, startRedis } from '../../tools/infra/redis.ts'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'
import { redisUrl } from '../infra/parts.ts'
import { waitFor } from '../infra/wait.ts'

/** What a caller may ask for in a minute, at one gateway and at several. */

let graph: Awaited<ReturnType<typeof startForeignGraph>>
let file: string
before(async () => {
  const sdl = 'type Query { a: Int } type Mutation { register: Int other: Int }'
  graph = await startForeignGraph({ things: { sdl, resolvers: { Query: { a: () => 1 } } } })
  file = await graph.supergraph()
})
after(() => graph.stop())

type Answer = { status: number; headers: Record<string, unknown>; code: string | undefined }

async function send(gateway: TestGateway, query = '{ a }', headers = {}): Promise<Answer> {
  const {
    statusCode,
    headers: received,
    body,
  } = await request(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  })
  const { errors } = (await body.json()) as { errors?: { extensions: { code: string } }[] }
  return { status: statusCode, headers: received, code: errors?.[0]?.extensions.code }
}

const started: TestGateway[] = []
async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await runGateway({ SUPERGRAPH_FILE: file, ...env })
  assert.equal(gateway.code, 'ready', gateway.output())
  started.push(gateway)
  return gateway
}
after(() => Promise.all(started.map((gateway) => gateway.stop())))

/** A gateway that knows somebody, and the headers of their requests. */
async function signedIn(context: TestContext) {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'EdDSA' }] })
  const issuer = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(keys)
  })
  context.after(() => void issuer.close())
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  const JWKS_URL = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`
  const gateway = await gatewayWith({ JWKS_URL, TOKEN_ISSUER: 'users', TOKEN_AUDIENCE: 'graph' })
  const token = await new SignJWT({ sid: 's', jti: 'j' })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k' })
    .setSubject('ada')
    .setIssuer('users')
    .setAudience('graph')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey)
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  return { gateway, headers }
}

function tally(answers: Answer[]): Record<number, number> {
  const groups = Map.groupBy(answers, ({ status }) => status)
  return Object.fromEntries([...groups].map(([status, { length }]) => [status, length]))
}

describe('one gateway', () => {
  test('a refusal is 429 with RATE_LIMITED, Retry-After and what the limit is', async () => {
    const gateway = await gatewayWith({ RATE_LIMIT_ANONYMOUS: '2' })
    const first = await send(gateway)
    assert.deepEqual([first.status, first.headers['ratelimit-policy']], [200, '"anonymous";q=2;w=60'])
    assert.match(String(first.headers.ratelimit), /^"anonymous";r=1;t=(60|[1-5]?\d)$/)
    await send(gateway)
    const refused = await send(gateway)
    assert.deepEqual([refused.status, refused.code], [429, 'RATE_LIMITED'])
    // Both tell when the window of a minute ends, which the first request began.
    const [, left] = /^"anonymous";r=0;t=(\d+)$/.exec(String(refused.headers.ratelimit)) ?? []
    assert.equal(refused.headers['retry-after'], left)
    assert.ok(Number(left) > 0 && Number(left) <= 60, left)
  })

  test('an operation pays for each limited field it asks for, under whatever name', async () => {
    const gateway = await gatewayWith({ RATE_LIMIT_FIELD: '3' })
    const twice = 'mutation { a: register ...F } fragment F on Mutation { b: register }'
    assert.equal((await send(gateway, twice)).status, 200)
    assert.deepEqual((await send(gateway, twice)).status, 429)
    assert.equal((await send(gateway, 'mutation { register }')).status, 200)
    assert.equal((await send(gateway, 'mutation { register }')).status, 429)
    assert.equal((await send(gateway, 'mutation { other }')).status, 200)
  })

  test('requests that are no GraphQL count, and so do tokens that are refused', async () => {
    const gateway = await gatewayWith({ RATE_LIMIT_ANONYMOUS: '3', JWKS_URL: 'http://127.0.0.1:1/' })
    assert.equal((await send(gateway, '{')).status, 400)
    assert.equal((await send(gateway, '{ a }', { authorization: 'Bearer x' })).status, 401)
    assert.equal((await send(gateway, '{ a }', { authorization: 'nonsense' })).status, 401)
    assert.equal((await send(gateway)).status, 429)
  })

  test('what is no request costs a user as much as an operation that is refused', async (context) => {
    const { gateway, headers } = await signedIn(context)
    const bodies = [
      '{',
      '{"query":"{ a }","query":"{ a }"}',
      '[]',
      '{"query":1}',
      '{"query":"{ nothing }"}',
      '{"query":"{"}',
      'x'.repeat(300_000),
    ]
    for (const [index, body] of bodies.entries()) {
      const answer = await request(`${gateway.url}/graphql`, { method: 'POST', headers, body })
      await answer.body.dump()
      assert.equal(answer.statusCode, body.length > 1_000 ? 413 : 400, body.slice(0, 100))
      assert.match(String(answer.headers.ratelimit), new RegExp(`^"cost";r=${20_000 - 1 - index};`), body.slice(0, 100))
    }
  })

  test('an operation costs what planning it takes, once for each combination of its conditions', async (context) => {
    const { gateway, headers } = await signedIn(context)
    const left = async (query: string, variables: object = {}) => {
      const body = JSON.stringify({ query, variables })
      const answer = await request(`${gateway.url}/graphql`, { method: 'POST', headers, body })
      await answer.body.dump()
      assert.equal(answer.statusCode, 200)
      return Number(/r=(\d+)/.exec(String(answer.headers.ratelimit))?.[1])
    }
    const conditional = 'query ($yes: Boolean!) { a b: a ... @include(if: $yes) { c: a } }'
    const before = await left('{ a }')
    assert.equal(await left('{ a }'), before - 1)
    assert.equal(await left(conditional, { yes: true }), before - 1 - (1 + 4))
    assert.equal(await left(conditional, { yes: true }), before - 1 - (1 + 4) - 1)
    assert.equal(await left(conditional, { yes: false }), before - 1 - (1 + 4) - 1 - (1 + 4))
  })

  test('an address that a client claims is believed from a trusted proxy alone', async () => {
    const claim = (n: number) => ({ 'x-forwarded-for': `198.51.100.${n}` })
    const open = await gatewayWith({ RATE_LIMIT_ANONYMOUS: '2' })
    const spoofed = await Promise.all([1, 2, 3].map((n) => send(open, '{ a }', claim(n))))
    assert.deepEqual(tally(spoofed), { 200: 2, 429: 1 })
    const behind = await gatewayWith({ RATE_LIMIT_ANONYMOUS: '2', TRUSTED_PROXIES: '1' })
    const told = await Promise.all([1, 2, 3].map((n) => send(behind, '{ a }', claim(n))))
    assert.deepEqual(tally(told), { 200: 3 })
    // The proxy adds the address it sees behind what the client claimed.
    const hidden = await Promise.all(
      [4, 5, 6].map((n) => send(behind, '{ a }', { 'x-forwarded-for': `203.0.113.${n}, 198.51.100.9` })),
    )
    assert.deepEqual(tally(hidden), { 200: 2, 429: 1 })
  })
})

describe('two gateways with one Redis', { skip: !redisUrl() && 'there is no Redis' }, () => {
  let redis: RedisServer
  let gateways: TestGateway[]
  before(async () => {
    redis = await startRedis()
    const env = { REDIS_URL: redis.url, REDIS_PREFIX: `${randomUUID()}:`, TRUSTED_PROXIES: '1' }
    gateways = await Promise.all([gatewayWith(env), gatewayWith(env)])
  })
  after(() => redis.stop())

  const health = async (gateway: TestGateway) =>
    (await (await fetch(`${gateway.url}/health`)).json()) as { status: string; dependencies: Record<string, unknown> }
  const isShared = async (gateway: TestGateway) =>
    / 1$/m.exec((/^rate_limits_shared\S+ \d$/m.exec(await (await fetch(`${gateway.url}/metrics`)).text()) ?? [''])[0])

  test('allow exactly 100 of 300 anonymous requests in a minute', async () => {
    const answers: Answer[] = []
    // Not more at once than Redis answers in time on a busy machine: a request that it leaves waiting is counted here alone.
    for (let n = 0; n < 300; n += 20) {
      const sent = Array.from({ length: 20 }, (_, of) => send(gateways[of % 2] as TestGateway))
      answers.push(...(await Promise.all(sent)))
    }
    assert.deepEqual(tally(answers), { 200: 100, 429: 200 })
  })

  test('without Redis count each for itself, answer all that comes without an error, and say so', async () => {
    for (const gateway of gateways) assert.ok(await isShared(gateway))
    const from = { 'x-forwarded-for': '198.51.100.1' }
    const answers: Answer[] = []
    for (let n = 0; n < 360; n++) {
      if (n === 60) await redis.kill()
      answers.push(await send(gateways[n % 2] as TestGateway, '{ a }', from))
    }
    // 60 that Redis counted, then the first 100 of each process's own minute.
    assert.deepEqual(tally(answers), { 200: 260, 429: 100 })
    for (const gateway of gateways) {
      assert.ok(!(await isShared(gateway)))
      await waitFor('health to say so', async () => (await health(gateway)).status === 'DEGRADED')
      assert.equal((await fetch(`${gateway.url}/health/ready`)).status, 200)
    }
    await redis.restart()
    await waitFor('quotas to be shared again', async () => (await Promise.all(gateways.map(isShared))).every(Boolean))
  })
})
