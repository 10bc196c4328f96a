import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ConfigError, processSettings, readEnv } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import type { Principal } from '#platform/principal.ts'
import { createQuotas, type Quotas } from '#platform/quota.ts'
import { createRateLimiter, rateLimitRule, rateLimitSettings, type Verdict } from '../rate-limit.ts'

let quotas: Quotas
before(async () => {
  quotas = await createQuotas({ log })
})

const open = (env: Record<string, string> = {}) =>
  createRateLimiter({ quotas, config: () => readEnv(rateLimitSettings, [], env) })
const someone = (sub: string): Principal => ({ sub, sid: 's', scopes: [], anonymous: false, address: null })
const anonymous: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }
const work = (given: { cost?: number; operations?: number; fields?: Record<string, number> }) => ({
  cost: given.cost ?? 1,
  operations: given.operations ?? 1,
  fields: new Map(Object.entries(given.fields ?? {})),
})
const register = { fields: { 'Mutation.register': 1 } }
const here = '192.0.2.1'

/** What is left of a policy, as the client reads it. */
function left({ headers }: Verdict, policy: string): number {
  return Number(new RegExp(`"${policy}";r=(\\d+)`).exec(headers.ratelimit ?? '')?.[1])
}

test('webhooks are limited by address, apart from everything else', async () => {
  const { forWebhook, atDoor } = open({ RATE_LIMIT_WEBHOOKS: '2', RATE_LIMIT_ANONYMOUS: '100' })
  const address = '192.0.2.99'
  assert.equal(left(await forWebhook(address), 'webhooks'), 1)
  await forWebhook(address)
  assert.equal((await forWebhook(address)).refusal?.code, 'RATE_LIMITED')
  assert.equal((await forWebhook('192.0.2.98')).refusal, undefined)
  assert.equal((await atDoor(anonymous, address)).refusal, undefined)
})

describe('callers without a sign-in', () => {
  test('have 100 requests a minute of one address, and are told at each how many are left', async () => {
    const { atDoor } = open()
    for (let n = 1; n <= 100; n++) {
      const { headers, refusal } = await atDoor(anonymous, here)
      assert.equal(refusal, undefined)
      assert.equal(headers['ratelimit-policy'], '"anonymous";q=100;w=60')
      assert.match(headers.ratelimit ?? '', new RegExp(`^"anonymous";r=${100 - n};t=(60|5\\d)$`))
    }
    const { refusal, headers } = await atDoor(anonymous, here)
    assert.equal(refusal?.code, 'RATE_LIMITED')
    const { retryAfter = 0 } = refusal?.details ?? {}
    assert.ok(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 60)
    assert.equal(headers.ratelimit, `"anonymous";r=0;t=${retryAfter}`)
    assert.equal((await atDoor(anonymous, '192.0.2.2')).refusal, undefined, 'another address')
  })

  test('count as one with callers whose token is refused', async () => {
    const { atDoor } = open({ RATE_LIMIT_ANONYMOUS: '2' })
    await atDoor(undefined, here)
    await atDoor(anonymous, here)
    assert.ok((await atDoor(undefined, here)).refusal)
  })

  test('are one within 64 bits of IPv6, and as IPv4 written as IPv6', async () => {
    const { atDoor } = open({ RATE_LIMIT_ANONYMOUS: '1' })
    await atDoor(anonymous, '2001:db8::1')
    assert.ok((await atDoor(anonymous, '2001:db8::ffff:1')).refusal)
    assert.equal((await atDoor(anonymous, '2001:db8:0:1::1')).refusal, undefined)
    await atDoor(anonymous, '198.51.100.1')
    assert.ok((await atDoor(anonymous, '::ffff:198.51.100.1')).refusal)
  })

  test('pay a batch for each of its operations', async () => {
    const { atDoor, forOperations } = open({ RATE_LIMIT_ANONYMOUS: '10' })
    const door = await atDoor(anonymous, here)
    const verdict = await forOperations(anonymous, here, work({ cost: 5_000, operations: 5 }), door)
    assert.equal(left(verdict, 'anonymous'), 5)
    assert.ok((await forOperations(anonymous, here, work({ operations: 7 }), door)).refusal)
    assert.equal(left(await atDoor(anonymous, here), 'anonymous'), 4, 'a batch that is too large takes nothing')
  })

  test('pay one operation at the door alone, and hear of it again', async () => {
    const { atDoor, forOperations } = open()
    const door = await atDoor(anonymous, here)
    assert.deepEqual(await forOperations(anonymous, here, work({}), door), door)
  })
})

describe('users', () => {
  test('have 20,000 cost units a minute, wherever they are', async () => {
    const { forOperations } = open()
    const first = await forOperations(someone('ada'), here, work({ cost: 15_000 }))
    assert.deepEqual(first.headers['ratelimit-policy'], '"cost";q=20000;w=60')
    assert.equal(left(first, 'cost'), 5_000)
    const second = await forOperations(someone('ada'), '192.0.2.9', work({ cost: 5_001 }))
    assert.equal(second.refusal?.code, 'RATE_LIMITED')
    assert.equal(left(second, 'cost'), 5_000)
    assert.equal((await forOperations(someone('ada'), here, work({ cost: 5_000 }))).refusal, undefined)
    assert.equal((await forOperations(someone('eve'), here, work({ cost: 20_000 }))).refusal, undefined)
  })

  test('pay at least one unit for each operation', async () => {
    const { forOperations } = open()
    assert.equal(left(await forOperations(someone('a'), here, work({ cost: 0, operations: 3 })), 'cost'), 19_997)
    assert.equal(left(await forOperations(someone('a'), here, work({ cost: 1.5 })), 'cost'), 19_995)
  })

  test('are refused at the door once nothing is left, and pay nothing there before', async () => {
    const { atDoor, forOperations } = open({ RATE_LIMIT_COST: '2' })
    assert.deepEqual((await atDoor(someone('a'), here)).headers, {})
    await forOperations(someone('a'), here, work({ cost: 2 }))
    const { refusal, headers } = await atDoor(someone('a'), here)
    assert.equal(refusal?.code, 'RATE_LIMITED')
    assert.match(headers.ratelimit ?? '', /^"cost";r=0;t=\d+$/)
    assert.equal((await atDoor(someone('b'), here)).refusal, undefined)
  })

  test('are not held up by what others of their address ask for', async () => {
    const { atDoor } = open({ RATE_LIMIT_ANONYMOUS: '1' })
    for (let n = 0; n < 3; n++) await atDoor(anonymous, here)
    assert.equal((await atDoor(someone('a'), here)).refusal, undefined)
  })
})

describe('limited fields', () => {
  test('are had 10 times a minute from one address, each for itself, by users and others together', async () => {
    const { forOperations } = open()
    for (let n = 0; n < 10; n++)
      assert.equal((await forOperations(n % 2 ? anonymous : someone('a'), here, work(register))).refusal, undefined)
    for (const caller of [anonymous, someone('b')]) {
      const { refusal, headers } = await forOperations(caller, here, work(register))
      assert.equal(refusal?.code, 'RATE_LIMITED')
      assert.match(headers['ratelimit-policy'] ?? '', /"Mutation\.register";q=10;w=60$/)
    }
    const reset = work({ fields: { 'Mutation.resetPassword': 1, 'Query.products': 50 } })
    assert.equal((await forOperations(anonymous, here, reset)).refusal, undefined)
    assert.equal((await forOperations(anonymous, '192.0.2.2', work(register))).refusal, undefined)
  })

  test('count under every alias', async () => {
    const { forOperations } = open()
    const times = (n: number) => work({ fields: { 'Mutation.register': n } })
    assert.ok((await forOperations(anonymous, here, times(11))).refusal)
    assert.equal(left(await forOperations(anonymous, here, times(9)), 'Mutation\\.register'), 1)
    assert.ok((await forOperations(anonymous, here, times(2))).refusal)
  })

  test('are not paid for by a request that its caller has too little for', async () => {
    const { forOperations } = open({ RATE_LIMIT_COST: '1' })
    for (let n = 0; n < 20; n++) await forOperations(someone('a'), here, work({ cost: 2, ...register }))
    assert.equal(left(await forOperations(anonymous, here, work(register)), 'Mutation\\.register'), 9)
  })

  test('are those that the setting names', async () => {
    const { forOperations } = open({ RATE_LIMIT_FIELDS: 'Query.search, Mutation.vote', RATE_LIMIT_FIELD: '1' })
    assert.deepEqual((await forOperations(anonymous, here, work(register))).headers, {})
    const { headers } = await forOperations(
      anonymous,
      here,
      work({ fields: { 'Query.search': 1, 'Mutation.vote': 1 } }),
    )
    assert.match(headers.ratelimit ?? '', /^"Query.search";r=0;t=\d+, "Mutation.vote";r=0;t=\d+$/)
  })
})

test('with RATE_LIMITS=off nothing is counted and nothing is told', async () => {
  const { atDoor, forOperations } = open({ RATE_LIMITS: 'off', RATE_LIMIT_ANONYMOUS: '1', RATE_LIMIT_COST: '1' })
  for (let n = 0; n < 5; n++) {
    for (const verdict of [
      await atDoor(anonymous, here),
      await forOperations(anonymous, here, work({ operations: 9, ...register })),
      await forOperations(someone('a'), here, work({ cost: 99 })),
    ])
      assert.deepEqual([verdict.headers, verdict.refusal], [{}, undefined])
  }
})

test('production refuses to start without limits', () => {
  const settings = { ...processSettings, ...rateLimitSettings }
  const read = (env: Record<string, string>) => readEnv(settings, [rateLimitRule], env)
  assert.throws(() => read({ NODE_ENV: 'production', RATE_LIMITS: 'off' }), ConfigError)
  assert.throws(() => read({ RATE_LIMIT_FIELDS: 'register' }), /must be such as Mutation.register/)
  assert.equal(read({ NODE_ENV: 'production' }).RATE_LIMITS, 'on')
  assert.equal(read({ RATE_LIMITS: 'off' }).RATE_LIMITS, 'off')
})
