import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import type { SendCodeRequest__Output } from '#generated/grpc/notifications/v1/SendCodeRequest.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { currentContext, runWithContext } from '#platform/context.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { createGrpcServer } from '#platform/grpc/server.ts'
import { loadService } from '#platform/grpc/service.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import {
  createPrincipalSigner,
  createPrincipalVerifier,
  createServiceTokens,
  createServiceTokenVerifier,
} from '#platform/principal.ts'
import { testKeys } from '../../../platform/test/keys.ts'
import { createNotificationsClient, createRpcHandlers } from '../grpc.ts'
import { openUsers, password, type Users } from './open-users.ts'

const userService = loadService<UserServiceDefinition>('users.v1.UserService')
const notificationService = loadService<NotificationServiceDefinition>('notifications.v1.NotificationService')
const { privateKeys, keys } = await testKeys('gateway', 'users', 'orders', 'notifications', 'products')
const signPrincipal = createPrincipalSigner({ key: privateKeys.gateway })
const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

let users: Users
let address: string
const server = serverOf('users')
const peers: { close(): void }[] = []
before(async () => {
  users = await openUsers()
  server.add(userService, createRpcHandlers(users.service))
  address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
})
after(async () => {
  for (const peer of peers) peer.close()
  await server.close()
  await users.close()
})

function serverOf(audience: string) {
  return createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys, audience }),
    verifyPrincipal: createPrincipalVerifier({ keys }),
    mask: createMask({ service: audience, log }),
  })
}

/** The RPCs of users, as a service calls them. */
function callsOf(caller: keyof typeof privateKeys) {
  const serviceToken = createServiceTokens({ key: privateKeys[caller] })
  const peer = createPeer({ name: 'users', service: userService, addresses: [address], serviceToken })
  peers.push(peer)
  return peer.rpcs
}

/** Does something on behalf of an account, or of nobody. */
async function asUser<T>(sub: string | null, work: () => Promise<T>): Promise<T> {
  const principal = { sub, sid: null, scopes: [], anonymous: sub === null, address: '192.0.2.7' }
  return runWithContext({ traceparent, principalToken: await signPrincipal(principal) }, work)
}

test('GetUser and GetUsers answer orders and notifications', async () => {
  const { user, caller } = await users.register()
  await users.service.updateProfile(caller, { phone: '+4930123456' })
  const { id, name, email, locale } = user
  const message = { id, name, email, locale, phone: '+4930123456', _phone: 'phone', emailVerified: false }
  for (const service of ['orders', 'notifications'] as const) {
    const calls = callsOf(service)
    assert.deepEqual(await calls.getUser({ id }), message)
    assert.deepEqual(await calls.getUsers({ ids: [randomUUID(), id] }), { users: [message] })
    await assert.rejects(calls.getUser({ id: randomUUID() }), { code: 'NOT_FOUND' })
    await assert.rejects(calls.getUsers({ ids: Array(101).fill(id) }), { code: 'BAD_USER_INPUT' })
  }
})

test('CreateUser, Login and ValidateToken work for the gateway as the mutations do', async () => {
  const calls = callsOf('gateway')
  const email = users.newEmail()
  const created = await asUser(null, () => calls.createUser({ name: 'Eve', email, password, phone: '+49 30 123456' }))
  assert.deepEqual([created.email, created.locale, created.phone], [email, 'en', '+4930123456'])
  await assert.rejects(
    asUser(null, () => calls.createUser({ name: 'Eve', email, password })),
    { code: 'EMAIL_TAKEN' },
  )
  const signedIn = await asUser(null, () => calls.login({ email, password }))
  assert.equal(signedIn.expiresIn, 900)
  assert.deepEqual(signedIn.user, created)
  await users.service.refreshSession({ sub: null, scopes: [], address: null }, signedIn.refreshToken)
  assert.deepEqual(await calls.validateToken({ token: signedIn.accessToken }), created)
  await assert.rejects(calls.validateToken({ token: 'x' }), { code: 'UNAUTHENTICATED' })
  await assert.rejects(
    asUser(null, () => calls.login({ email, password: 'wrong horse' })),
    { code: 'INVALID_CREDENTIALS' },
  )
  const refused = users.entries.at(-1)
  assert.deepEqual([refused?.action, refused?.address], ['session.refused', '192.0.2.7'])
})

test('UpdateUser changes the account of whoever asks, and no other', async () => {
  const { user } = await users.register()
  const calls = callsOf('gateway')
  const update = (sub: string | null, change: object) => asUser(sub, () => calls.updateUser({ id: user.id, ...change }))
  const changed = await update(user.id, { name: 'Zoë', phone: '+4930123456' })
  assert.deepEqual([changed.name, changed.email, changed.phone], ['Zoë', user.email, '+4930123456'])
  assert.equal((await update(user.id, { phone: '' })).phone, undefined)
  for (const sub of [null, randomUUID()]) await assert.rejects(update(sub, { name: 'Mallory' }), { code: 'NOT_FOUND' })
  await assert.rejects(update(user.id, { email: users.newEmail(), currentPassword: 'wrong horse' }), {
    code: 'INVALID_CREDENTIALS',
  })
  const email = users.newEmail()
  assert.equal((await update(user.id, { email, currentPassword: password })).email, email)
})

test('each RPC answers its callers alone, and what is asked for a person needs the person', async () => {
  const id = randomUUID()
  const strangers = { orders: callsOf('orders'), gateway: callsOf('gateway'), products: callsOf('products') }
  const refused = [
    () => strangers.products.getUser({ id }),
    () => strangers.gateway.getUsers({ ids: [id] }),
    () => strangers.orders.createUser({}),
    () => strangers.orders.updateUser({ id }),
    () => strangers.orders.login({}),
    () => strangers.orders.validateToken({}),
  ]
  for (const call of refused) await assert.rejects(call, { code: 'SUBGRAPH_UNAVAILABLE' })
  const { gateway } = strangers
  for (const call of [() => gateway.createUser({}), () => gateway.updateUser({ id }), () => gateway.login({})])
    await assert.rejects(call, { code: 'UNAUTHENTICATED' })
})

test('a code is handed to notifications, also when whoever asked for it has gone, and is waited for as long as a mail may take', async () => {
  const sent: SendCodeRequest__Output[] = []
  let time = 0
  const notifications = serverOf('notifications')
  notifications.add(notificationService, {
    SendCode: {
      callers: ['users'],
      handle: async (request) => {
        sent.push(request)
        time = (currentContext()?.deadline ?? 0) - Date.now()
        return {}
      },
    },
  })
  const port = await notifications.listen('127.0.0.1', 0)
  const peer = createPeer({
    name: 'notifications',
    service: notificationService,
    addresses: [`127.0.0.1:${port}`],
    serviceToken: createServiceTokens({ key: privateKeys.users }),
  })
  try {
    const { user } = await users.register()
    const mail = { user, purpose: 'RESET_PASSWORD', code: 'AAAAA-BBBBB-CCCCC-DDDDD', lifetime: 900 } as const
    await runWithContext({ traceparent, deadline: Date.now() - 1 }, () =>
      createNotificationsClient(peer.rpcs).sendCode(mail),
    )
    const { id: userId, email, name, locale } = user
    const { purpose, code, lifetime } = mail
    assert.deepEqual(sent, [{ userId, email, name, locale, purpose, code, lifetime }])
    assert.ok(time > 10_000, 'the mail is not repeated while it is on its way')
  } finally {
    peer.close()
    await notifications.close()
  }
})
