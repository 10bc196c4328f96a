import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { serviceNames } from '../../tools/services.ts'
import { redisUrl } from '../infra/parts.ts'
import { customerPassword, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** Limits as clients meet them, and what operators see of them. */

const url = redisUrl()
let stack: TestStack
before(async () => {
  const redis = url ? { REDIS_URL: url, REDIS_PREFIX: `${randomUUID()}:` } : {}
  stack = await startTestStack({ extra: { users: { env: { WRONG_PASSWORDS: '3', ...redis } } } })
})
after(() => stack.stop())

const read = async (name: (typeof serviceNames)[number], path: string) =>
  (await fetch(`${stack.urlOf(name)}${path}`)).text()

test('every service serves /metrics, under its own name', async () => {
  for (const name of serviceNames) {
    assert.match(await read(name, '/metrics'), new RegExp(`^nodejs_eventloop_lag_seconds\\{service="${name}"\\} `, 'm'))
  }
})

describe('too many wrong passwords', () => {
  async function login(email: string, password: string) {
    const { payload, errors } = await stack.mutate('login', 'user { id }', { email, password })
    return { id: payload?.user.id, code: errors[0]?.extensions.code, retryAfter: errors[0]?.extensions.retryAfter }
  }

  test('are refused with RATE_LIMITED and the seconds to wait, for one account and no other', async () => {
    const [ada, eve] = [await stack.signUp(), await stack.signUp()]
    for (let n = 0; n < 3; n++) assert.equal((await login(ada.email, 'wrong')).code, 'INVALID_CREDENTIALS')
    const { code, retryAfter } = await login(ada.email, customerPassword)
    assert.equal(code, 'RATE_LIMITED')
    assert.ok(typeof retryAfter === 'number' && retryAfter > 0 && retryAfter <= 900)
    assert.equal((await login(eve.email, customerPassword)).id, eve.id)
    assert.match(await read('users', '/metrics'), /^rate_limited_total\{quota="wrong-passwords",service="users"\} 1$/m)
  })
})

test('health tells of Redis, where there is one', { skip: !url && 'there is no Redis' }, async () => {
  await waitFor('users to have reached it', async () => {
    const { dependencies } = JSON.parse(await read('users', '/health'))
    return dependencies.redis.status === 'UP'
  })
  await waitFor('quotas to be shared', async () =>
    /^rate_limits_shared\{service="users"\} 1$/m.test(await read('users', '/metrics')),
  )
})
