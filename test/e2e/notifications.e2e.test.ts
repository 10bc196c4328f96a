import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { simpleParser } from 'mailparser'
import { browser } from '../../subgraphs/notifications/test/open-notifications.ts'
import { mailsIn } from '../infra/mails.ts'
import { type Account, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** What people receive, through the whole shop. */

let stack: TestStack
before(async () => {
  stack = await startTestStack()
})
after(() => stack.stop())

const mine = `{
  me {
    unreadNotificationCount
    notifications(first: 50) {
      edges { node { id type title body readAt order { number } deliveries { channel status attempts sentAt } } }
    }
  }
}`

type Told = {
  id: string
  type: string
  title: string
  readAt: string | null
  order: { number: string } | null
  deliveries: { channel: string; status: string }[]
}

async function toldTo({ token }: Account): Promise<{ unread: number; told: Told[] }> {
  const { data, errors } = await stack.graphql(mine, {}, token)
  assert.deepEqual(errors, [])
  const { unreadNotificationCount: unread, notifications } = data.me
  return { unread, told: notifications.edges.map(({ node }: { node: Told }) => node) }
}

/** Waits until a person was told so much, and all of it is sent. */
async function allSent(account: Account, types: readonly string[]): Promise<Told[]> {
  const wanted = [...types].sort()
  return waitFor(`${types}`, async () => {
    const { told } = await toldTo(account)
    const sent = told.every(({ deliveries }) => deliveries.every(({ status }) => status === 'SENT'))
    const found = told.map(({ type }) => type).sort()
    return sent && found.join() === wanted.join() && told
  })
}

const files = async (folder: string) => (existsSync(folder) ? readdir(folder) : [])

describe('a customer with a phone and a browser, who reads Chinese', () => {
  let eve: Account
  let manager: Account
  const types = ['WELCOME']

  before(async () => {
    eve = await stack.signUp()
    manager = await stack.employ('MANAGER')
    // Before there is a phone and a browser to tell.
    await allSent(eve, types)
    const profile = { phone: '+49301234567', locale: 'zh-CN' }
    assert.deepEqual((await stack.mutate('updateProfile', 'user { id }', profile, eve.token)).errors, [])
    await stack.mutate('subscribeToPush', 'subscription { id createdAt }', browser(), eve.token)
    await waitFor('the phone number', async () => {
      const [contact] = await stack.sql('notifications', 'SELECT phone FROM contacts WHERE user_id = $1', [eve.id])
      return contact?.phone
    })
  })

  test('is told of each step of an order over every channel, once, in their language', async () => {
    const [product = ''] = await stack.addProducts(10)
    const order = await stack.placeOrder(eve.token, product)
    await stack.payOrder(eve.token, order, 'pm_card_visa_chargeDeclined')
    types.push('ORDER_PLACED', 'PAYMENT_DECLINED')
    await allSent(eve, types)
    await stack.payOrder(eve.token, order)
    types.push('ORDER_PAID')
    await allSent(eve, types)
    const shipping = { orderId: order, trackingNumber: 'TRACK-1' }
    await stack.mutate('shipOrder', 'order { id }', shipping, manager.token)
    await stack.mutate('deliverOrder', 'order { id }', { orderId: order }, manager.token)
    types.push('ORDER_SHIPPED', 'ORDER_DELIVERED')
    const told = await allSent(eve, types)

    const { number } = (await stack.graphql(`{ order(id: "${order}") { number } }`, {}, eve.token)).data.order
    for (const { type, title, order, deliveries } of told) {
      if (type === 'WELCOME') continue
      assert.equal(order?.number, number)
      assert.match(title, /\p{Script=Han}/u)
      assert.deepEqual(
        deliveries.map(({ channel }) => channel),
        ['EMAIL', 'SMS', 'PUSH'],
      )
    }
  })

  test('finds the same in the mail, on the phone and in the browser', async () => {
    const mails = await Promise.all(mailsIn(stack.mailFolder).map((mail) => simpleParser(mail)))
    const own = mails.filter(({ to, subject }) => to && !Array.isArray(to) && to.text.includes(eve.email) && subject)
    // The welcome was mailed before the language was chosen; the codes that verify an address are mails, but no notifications.
    const titles = (await toldTo(eve)).told.filter(({ type }) => type !== 'WELCOME').map(({ title }) => title)
    for (const title of titles) assert.equal(own.filter(({ subject }) => subject === title).length, 1, title)
    assert.ok(own.every(({ html, text }) => html && text))
    assert.equal((await files(stack.smsFolder)).length, 5)
    assert.equal((await files(stack.pushFolder)).length, 5)
  })

  test('reads, and what is unread counts down', async () => {
    const { unread, told } = await toldTo(eve)
    assert.equal(unread, told.length)
    const ids = told.slice(0, 2).map(({ id }) => id)
    const fields = 'notifications { id readAt } unreadNotificationCount'
    const { payload } = await stack.mutate('markNotificationsRead', fields, { ids }, eve.token)
    assert.equal(payload.unreadNotificationCount, unread - 2)
    assert.equal((await toldTo(eve)).unread, unread - 2)
    const only = '{ me { notifications(unreadOnly: true) { edges { node { readAt } } } } }'
    const { edges } = (await stack.graphql(only, {}, eve.token)).data.me.notifications
    assert.equal(edges.length, unread - 2)
  })

  test('switches channels off, but not what tells of a stranger in the account', async () => {
    const off = ['EMAIL', 'SMS', 'PUSH'].map((channel) => ({ channel, type: 'ORDER_CANCELLED', enabled: false }))
    const fields = 'preferences { channel type enabled required }'
    const { payload } = await stack.mutate('updateNotificationPreferences', fields, { preferences: off }, eve.token)
    assert.equal(payload.preferences.filter(({ enabled }: { enabled: boolean }) => !enabled).length, 3)
    const preferences = [{ channel: 'EMAIL', type: 'NEW_SIGN_IN', enabled: false }]
    const refused = await stack.mutate('updateNotificationPreferences', fields, { preferences }, eve.token)
    assert.equal(refused.errors[0]?.extensions.code, 'BAD_USER_INPUT')
    assert.equal(refused.errors[0]?.extensions.field, 'preferences.0.enabled')

    const [product = ''] = await stack.addProducts(10)
    const orderId = await stack.placeOrder(eve.token, product)
    await stack.mutate('cancelOrder', 'order { id }', { orderId, reason: 'changed my mind' }, eve.token)
    types.push('ORDER_PLACED', 'ORDER_CANCELLED')
    const told = await allSent(eve, types)
    assert.deepEqual(told.find(({ type }) => type === 'ORDER_CANCELLED')?.deliveries, [])
  })
})

test('a sign-in and a change of the password are told of', async () => {
  const bob = await stack.signUp()
  const { email } = bob
  await stack.mutate('login', 'expiresIn', { email, password: 'correct horse battery' })
  const passwords = { currentPassword: 'correct horse battery', newPassword: 'another horse battery' }
  await stack.mutate('changePassword', 'expiresIn', passwords, bob.token)
  await waitFor('both', async () => {
    const query = 'SELECT type FROM notifications WHERE user_id = $1 ORDER BY type'
    const types = (await stack.sql('notifications', query, [bob.id])).map(({ type }) => type)
    return types.join() === 'WELCOME,NEW_SIGN_IN,PASSWORD_CHANGED'
  })
})

test("another's notification is NOT_FOUND to mark, in the words of one that never was, and nobody marks without a token", async () => {
  const [eve, bob] = [await stack.signUp(), await stack.signUp()]
  const [own] = await waitFor('the welcome', async () => {
    const { told } = await toldTo(eve)
    return told.length > 0 && told
  })
  const mark = (id: string, token?: string) =>
    stack.mutate('markNotificationsRead', 'unreadNotificationCount', { ids: [id] }, token)
  const [other, never] = [await mark(own?.id ?? '', bob.token), await mark(randomUUID(), bob.token)]
  assert.equal(other.errors[0]?.extensions.code, 'NOT_FOUND')
  assert.deepEqual(other.errors, never.errors)
  assert.equal((await mark(own?.id ?? '')).errors[0]?.extensions.code, 'UNAUTHENTICATED')
  assert.equal((await toldTo(eve)).unread, 1)
})

test('what a browser needs to subscribe is told to everybody, and is null where pushes go into a folder', async () => {
  const { data, errors } = await stack.graphql('{ pushPublicKey }')
  assert.deepEqual({ data, errors }, { data: { pushPublicKey: null }, errors: [] })
})
