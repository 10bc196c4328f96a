import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import { request } from 'undici'
import { root } from '../../tools/services.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { codesOf } from './refused.ts'

/** Accounts and their sessions, through the gateway. */

const password = 'correct horse battery'
const secret = randomBytes(32).toString('base64url')

let stack: TestStack
before(async () => {
  stack = await startTestStack({ extra: { users: { env: { SIGNING_KEYS_SECRET: secret } } } })
})
after(() => stack.stop())

const mutate: TestStack['mutate'] = (...args) => stack.mutate(...args)
const session = 'accessToken refreshToken expiresIn user { id email emailVerified phone roles }'
const login = async (email: string, with_ = password) =>
  (await mutate('login', session, { email, password: with_ })).payload

describe('an account through the gateway', () => {
  test('it signs in, refreshes, and logs out', async () => {
    const { email } = await stack.signUp()
    const { refreshToken } = await login(email)
    const { payload: next } = await mutate('refreshSession', session, { refreshToken })
    for (const token of [next.refreshToken, 'never was']) {
      const { payload } = await mutate('logout', 'loggedOut', { refreshToken: token })
      assert.deepEqual(payload, { loggedOut: true })
    }
    const ended = await mutate('refreshSession', session, { refreshToken: next.refreshToken })
    assert.deepEqual(codesOf(ended), ['UNAUTHENTICATED'])
  })

  test('it changes its profile and its password', async () => {
    const { email, token } = await stack.signUp()
    const changed = await mutate(
      'updateProfile',
      'user { name phone emailVerified }',
      { phone: '+49 30 123456' },
      token,
    )
    assert.deepEqual(changed.payload.user, { name: 'Eve Example', phone: '+4930123456', emailVerified: false })
    const input = { currentPassword: password, newPassword: 'battery staple horse' }
    const { payload } = await mutate('changePassword', session, input, token)
    assert.equal(payload.user.email, email)
    assert.deepEqual(codesOf(await mutate('login', session, { email, password })), ['INVALID_CREDENTIALS'])
    assert.ok(await login(email, 'battery staple horse'))
  })

  test('codes are asked for in the same words whether the address has an account, and wrong ones refused in one way', async () => {
    const { email, token } = await stack.signUp()
    const ask = (address: string) => mutate('requestPasswordReset', 'accepted', { email: address })
    const [known, unknown] = [await ask(email), await ask('nobody@example.com')]
    assert.deepEqual(known, unknown)
    assert.deepEqual(known.payload, { accepted: true })
    const asked = await mutate('requestEmailVerification', 'accepted', { email }, token)
    assert.deepEqual(asked.payload, { accepted: true })
    const code = 'AAAAA-BBBBB-CCCCC-DDDDD'
    assert.deepEqual(codesOf(await mutate('verifyEmail', 'user { id }', { code }, token)), ['INVALID_CREDENTIALS'])
    const reset = (address: string) => mutate('resetPassword', session, { email: address, code, newPassword: password })
    const [wrong, nobodys] = [await reset(email), await reset('nobody@example.com')]
    assert.deepEqual(wrong, nobodys)
    assert.deepEqual(codesOf(wrong), ['INVALID_CREDENTIALS'])
  })

  test('support finds accounts, an administrator gives roles, and others do neither', async () => {
    const [customer, staff] = [await stack.signUp(), await stack.employ('ADMIN')]
    const accessToken = staff.token
    const list = `query ($search: String) { users(search: $search) { edges { node { id } } pageInfo { hasNextPage } } }`
    const { data } = await stack.graphql(list, { search: customer.email.slice(0, 20).toUpperCase() }, accessToken)
    assert.deepEqual(data.users, { edges: [{ node: { id: customer.id } }], pageInfo: { hasNextPage: false } })
    const one = 'query ($id: ID!) { user(id: $id) { email } }'
    for (const token of [accessToken, customer.token]) {
      const found = await stack.graphql(one, { id: customer.id }, token)
      assert.equal(found.data.user.email, customer.email)
    }
    const roles = { userId: customer.id, roles: ['SUPPORT'] }
    const given = await mutate('setUserRoles', 'user { roles }', roles, accessToken)
    assert.deepEqual(given.payload.user.roles, ['SUPPORT'])
    const attempts = (token?: string) => [
      stack.graphql(list, {}, token),
      stack.graphql(one, { id: staff.id }, token),
      mutate('setUserRoles', 'user { roles }', roles, token),
    ]
    const refusals = await Promise.all(attempts(customer.token))
    assert.deepEqual(refusals.map(codesOf), [['FORBIDDEN'], ['NOT_FOUND'], ['FORBIDDEN']])
    for (const attempt of attempts()) assert.deepEqual(codesOf(await attempt), ['UNAUTHENTICATED'])
  })

  test('once erased it is not there for its own token, nothing is ordered for it, and its address is free', async () => {
    const { email, token } = await stack.signUp()
    const [product = ''] = await stack.addProducts(5)
    const erased = await mutate('eraseAccount', 'erased', { password }, token)
    assert.deepEqual(erased.payload, { erased: true })
    assert.deepEqual(codesOf(await stack.graphql('{ me { name } }', {}, token)), ['NOT_FOUND'])
    const order = await stack.createOrder(token, [{ productId: product, quantity: 1 }])
    assert.deepEqual(codesOf(order), ['UNAUTHENTICATED'])
    const again = { name: 'Eve', email, password, locale: 'en' }
    assert.equal((await mutate('register', session, again)).payload.user.email, email)
  })
})

describe('signing keys', () => {
  const keySet = async () => {
    const { headers, body } = await request(`${stack.urlOf('users')}/.well-known/jwks.json`)
    const { keys } = (await body.json()) as { keys: { kid: string }[] }
    return { kids: keys.map(({ kid }) => kid), cacheControl: headers['cache-control'] }
  }

  test('a running instance publishes a new key within seconds and signs with it after its delay', async () => {
    const { email, token } = await stack.signUp()
    const before = await keySet()
    assert.deepEqual(before, { kids: [decodeProtectedHeader(token).kid], cacheControl: 'public, max-age=300' })
    const rotate = spawn(process.execPath, [join(root, 'tools/keys.ts'), 'rotate'], {
      env: {
        PATH: process.env.PATH,
        USERS_DATABASE_URL: stack.databases.users,
        SIGNING_KEY_DELAY: '5',
        SIGNING_KEYS_SECRET: secret,
      },
    })
    const [code] = await once(rotate, 'close')
    assert.equal(code, 0)
    const kept = await stack.sql('users', 'SELECT jsonb_typeof(private_jwk) AS type FROM signing_keys')
    assert.deepEqual(kept, [{ type: 'string' }, { type: 'string' }], 'private keys are kept encrypted')
    const { kids } = await waitFor('the new key', async () => {
      const now = await keySet()
      return now.kids.length === 2 && now
    })
    const [next] = kids.filter((kid) => !before.kids.includes(kid))
    await waitFor('a token of the new key', async () => {
      const { accessToken } = await login(email)
      const { kid = '' } = decodeProtectedHeader(accessToken)
      assert.ok((await keySet()).kids.includes(kid), 'whatever signs is published')
      return kid === next
    })
    const [{ began }] = await stack.sql(
      'users',
      'SELECT signs_from <= now() AS began FROM signing_keys WHERE kid = $1',
      [next],
    )
    assert.ok(began, 'it signs nothing before its time')
    const { data } = await stack.graphql('{ me { email } }', {}, token)
    assert.equal(data.me.email, email, 'tokens of the superseded key stay valid')
  })
})
