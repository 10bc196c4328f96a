import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { GraphQLResolveInfo } from 'graphql'
import { createContext } from '../loaders.ts'
import { createResolvers } from '../resolvers.ts'
import { browser, listingOf, nobody, openNotifications, orderOf, principalOf, someone } from './open-notifications.ts'

/** What people read and say themselves. */

let shop: Awaited<ReturnType<typeof openNotifications>>
before(async () => {
  shop = await openNotifications()
})
beforeEach(() => shop.clear())
after(() => shop.close())

const staff = principalOf(someone(), ['users:read', 'users:write', 'orders:read'])

test("notifications, their number and preferences are their owner's alone, whatever the scopes", async () => {
  const eve = someone()
  await shop.service.userRegistered(randomUUID(), eve)
  for (const viewer of [staff, nobody]) {
    await assert.rejects(shop.service.notificationsOf(viewer, listingOf(eve)), { code: 'NOT_FOUND' })
    await assert.rejects(shop.service.unreadCount(viewer, eve.userId), { code: 'NOT_FOUND' })
    await assert.rejects(shop.service.preferencesOf(viewer, eve.userId), { code: 'NOT_FOUND' })
  }
  assert.equal((await shop.service.notificationsOf(principalOf(eve), listingOf(eve))).length, 1)
})

test('nobody changes anything without signing in', async () => {
  const change = { channel: 'EMAIL', type: 'WELCOME', enabled: false } as const
  await assert.rejects(shop.service.markRead(nobody, [randomUUID()]), { code: 'UNAUTHENTICATED' })
  await assert.rejects(shop.service.updatePreferences(nobody, [change]), { code: 'UNAUTHENTICATED' })
  await assert.rejects(shop.service.subscribeToPush(nobody, browser()), { code: 'UNAUTHENTICATED' })
  await assert.rejects(shop.service.unsubscribeFromPush(nobody, ''), { code: 'UNAUTHENTICATED' })
})

test('reading counts down, is remembered once, and the unread can be listed alone', async () => {
  const eve = someone()
  const viewer = principalOf(eve)
  for (let n = 0; n < 3; n++) await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  const [first, second] = await shop.service.notificationsOf(viewer, listingOf(eve))
  assert.equal(await shop.service.unreadCount(viewer, eve.userId), 3)
  const { notifications } = await shop.service.markRead(viewer, [first?.id ?? '', first?.id.toUpperCase() ?? ''])
  assert.deepEqual(
    notifications.map(({ id, readAt }) => ({ id, readAt })),
    [{ id: first?.id, readAt: shop.clock.now }],
  )
  const before = shop.clock.now
  shop.wait(1_000)
  const again = await shop.service.markRead(viewer, [first?.id ?? '', second?.id ?? ''])
  assert.deepEqual(
    new Map(again.notifications.map(({ id, readAt }) => [id, readAt])),
    new Map([
      [first?.id, before],
      [second?.id, shop.clock.now],
    ]),
  )
  assert.equal(await shop.service.unreadCount(viewer, eve.userId), 1)
  const unread = await shop.service.notificationsOf(viewer, { ...listingOf(eve), unreadOnly: true })
  assert.equal(unread.length, 1)
})

test('what is unread is counted once for a request, however many fields and aliases ask for it', async () => {
  const eve = someone()
  for (let n = 0; n < 3; n++) await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  let counted = 0
  const store: typeof shop.store = {
    ...shop.store,
    async countUnread(userIds) {
      counted++
      return shop.store.countUnread(userIds)
    },
  }
  const { unreadNotificationCount } = createResolvers(shop.open({ of: store })).User ?? {}
  assert.ok(typeof unreadNotificationCount === 'function')
  for (let request = 1; request <= 2; request++) {
    const context = createContext(principalOf(eve), store)
    const ask = async (): Promise<unknown> =>
      unreadNotificationCount({ id: eve.userId }, {}, context, {} as GraphQLResolveInfo)
    assert.deepEqual(await Promise.all(Array.from({ length: 50 }, ask)), Array(50).fill(3))
    assert.equal(await ask(), 3)
    assert.equal(counted, request)
  }
})

test("of another's notification, or one that never was, none is marked, in the same words", async () => {
  const [eve, bob] = [someone(), someone()]
  await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  await shop.service.orderPlaced(randomUUID(), orderOf(bob))
  const [own] = await shop.service.notificationsOf(principalOf(eve), listingOf(eve))
  const [other] = await shop.service.notificationsOf(principalOf(bob), listingOf(bob))
  const refusal = { code: 'NOT_FOUND', message: 'There is no such notification.' }
  for (const id of [other?.id ?? '', randomUUID(), 'no id']) {
    await assert.rejects(shop.service.markRead(principalOf(eve), [own?.id ?? '', id]), refusal)
  }
  assert.equal(await shop.service.unreadCount(principalOf(eve), eve.userId), 1)
  assert.equal(await shop.service.unreadCount(principalOf(bob), bob.userId), 1)
  for (const ids of [[], Array.from({ length: 101 }, randomUUID)]) {
    await assert.rejects(shop.service.markRead(principalOf(eve), ids), { code: 'BAD_USER_INPUT' })
  }
})

test('everything is switched on until a person says otherwise, and what is required stays on', async () => {
  const eve = principalOf(someone())
  const all = await shop.service.preferencesOf(eve, eve.sub ?? '')
  assert.equal(all.length, 33)
  assert.ok(all.every(({ enabled }) => enabled))
  assert.deepEqual(
    new Set(all.filter(({ required }) => required).map(({ type }) => type)),
    new Set(['NEW_SIGN_IN', 'PASSWORD_CHANGED', 'EMAIL_CHANGED']),
  )
  const change = { channel: 'EMAIL', type: 'ORDER_PAID', enabled: false } as const
  const off = (await shop.service.updatePreferences(eve, [change])).filter(({ enabled }) => !enabled)
  assert.deepEqual(off, [{ ...change, required: false }])
  const on = await shop.service.updatePreferences(eve, [{ ...change, enabled: true }])
  assert.ok(on.every(({ enabled }) => enabled))
  const required = { channel: 'EMAIL', type: 'NEW_SIGN_IN', enabled: false } as const
  const half = { ...change, enabled: false }
  await assert.rejects(shop.service.updatePreferences(eve, [half, required]), {
    code: 'BAD_USER_INPUT',
    details: { field: 'preferences.1.enabled' },
  })
  await assert.rejects(shop.service.updatePreferences(eve, [change, { ...change, enabled: true }]), {
    code: 'BAD_USER_INPUT',
    details: { field: 'preferences.1' },
  })
  await assert.rejects(shop.service.updatePreferences(eve, []), { code: 'BAD_USER_INPUT' })
  assert.ok(
    (await shop.service.preferencesOf(eve, eve.sub ?? '')).every(({ enabled }) => enabled),
    'nothing was half done',
  )
})

test('preferences that are changed at the same time all end up somewhere, without a deadlock', async () => {
  const eve = principalOf(someone())
  const types = ['ORDER_PAID', 'WELCOME', 'ORDER_SHIPPED'] as const
  const changes = types.map((type) => ({ channel: 'EMAIL', type, enabled: false }) as const)
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => shop.open().updatePreferences(eve, n % 2 ? changes : [...changes].reverse())),
  )
  const off = (await shop.service.preferencesOf(eve, eve.sub ?? '')).filter(({ enabled }) => !enabled)
  assert.equal(off.length, 3)
})

test('a browser that subscribes again keeps its subscription, also at the same time, and one of another account takes it over', async () => {
  const [eve, bob] = [principalOf(someone()), principalOf(someone())]
  const shared = browser()
  const kept = await Promise.all(Array.from({ length: 8 }, () => shop.open().subscribeToPush(eve, shared)))
  assert.equal(new Set(kept.map(({ id }) => id)).size, 1)
  await shop.service.subscribeToPush(bob, shared)
  assert.deepEqual(await shop.sql('SELECT user_id FROM push_subscriptions'), [{ user_id: bob.sub }])
  assert.equal(await shop.service.unsubscribeFromPush(eve, shared.endpoint), false)
  assert.equal(await shop.service.unsubscribeFromPush(bob, shared.endpoint), true)
})

test('an account has 20 browsers at the most: the oldest goes', async () => {
  const eve = principalOf(someone())
  const first = browser()
  await shop.service.subscribeToPush(eve, first)
  for (let n = 0; n < 20; n++) {
    shop.wait(1)
    await shop.service.subscribeToPush(eve, browser())
  }
  const rows = await shop.sql('SELECT endpoint FROM push_subscriptions')
  assert.equal(rows.length, 20)
  assert.ok(!rows.some(({ endpoint }) => endpoint === first.endpoint))
})

test('an account has 20 browsers at the most, also when they subscribe at the same time', async () => {
  const eve = principalOf(someone())
  for (const together of [20, 2, 3, 4, 5]) {
    await Promise.all(Array.from({ length: together }, () => shop.open().subscribeToPush(eve, browser())))
    assert.deepEqual(await shop.sql('SELECT count(*)::int AS rows FROM push_subscriptions'), [{ rows: 20 }])
  }
})

test('a subscription with a URL of no push service, or keys that encrypt nothing, is refused with the field', async () => {
  const eve = principalOf(someone())
  const good = browser()
  const point = `B${'A'.repeat(86)}`
  const letters = String.fromCodePoint(...Array.from({ length: 1_900 }, (_, n) => 0x4e00 + n * 9))
  for (const [field, input] of [
    ['endpoint', { ...good, endpoint: 'http://push.example.com/x' }],
    ['endpoint', { ...good, endpoint: 'https://127.0.0.1/x' }],
    ['endpoint', { ...good, endpoint: 'nonsense' }],
    ['endpoint', { ...good, endpoint: `https://push.example.com/${'x'.repeat(2_000)}` }],
    ['endpoint', { ...good, endpoint: `https://push.example.com/${letters}` }],
    ['keys', { ...good, keys: { ...good.keys, p256dh: point } }],
    ['keys', { ...good, keys: { ...good.keys, p256dh: '' } }],
    ['keys', { ...good, keys: { ...good.keys, auth: 'AAAA' } }],
    ['keys', { ...good, keys: { ...good.keys, auth: 'ä'.repeat(22) } }],
  ] as const) {
    await assert.rejects(shop.service.subscribeToPush(eve, input), { code: 'BAD_USER_INPUT', details: { field } })
  }
  assert.deepEqual(await shop.sql('SELECT 1 FROM push_subscriptions'), [])
})

test('an account that is erased can say nothing more', async () => {
  const eve = someone()
  await shop.service.userErased(randomUUID(), eve.userId)
  const change = { channel: 'EMAIL', type: 'WELCOME', enabled: false } as const
  await assert.rejects(shop.service.updatePreferences(principalOf(eve), [change]), { code: 'UNAUTHENTICATED' })
  await assert.rejects(shop.service.subscribeToPush(principalOf(eve), browser()), { code: 'UNAUTHENTICATED' })
  assert.deepEqual(await shop.sql('SELECT 1 FROM preferences UNION ALL SELECT 1 FROM push_subscriptions'), [])
})
