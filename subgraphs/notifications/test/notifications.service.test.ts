import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import type { Principal } from '#platform/principal.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import type { ChannelSender, Message, Recipient } from '../domain.ts'
import { createNotificationsService } from '../service.ts'
import { createNotificationsStore, type NotificationsStore } from '../store.ts'
import * as english from '../templates/english.ts'

let clock: Date
let database: ReturnType<typeof openDatabase>
let store: NotificationsStore
let client: pg.Client
const sent: (Message & { recipient: Recipient })[] = []

before(async () => {
  const url = await createTestDatabase('notifications')
  database = openDatabase({ name: 'test', url, poolSize: 10, log })
  store = createNotificationsStore(database.adapter)
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
beforeEach(async () => {
  clock = new Date('2026-01-01T00:00:00Z')
  sent.length = 0
  await client.query('TRUNCATE notifications, contacts, inbox CASCADE')
})
after(async () => {
  await client.end()
  await store.close()
  await database.close()
})

const recording: ChannelSender = {
  send: async (message, recipient) => void sent.push({ ...message, recipient }),
}
const service = (EMAIL: ChannelSender = recording, of: NotificationsStore = store) =>
  createNotificationsService({
    store: of,
    channels: { EMAIL },
    templates: english,
    now: () => clock,
    newId: randomUUID,
    onFailedAttempt() {},
    onUnsentCode() {},
  })

const contact = { userId: randomUUID(), name: 'Eve', email: 'eve@example.com', locale: 'en', sequence: 1 }
const viewer: Principal = { sub: contact.userId, sid: 's', scopes: [], anonymous: false, address: null }
const order = {
  orderId: randomUUID(),
  number: 'AAAA-BBBB',
  customerId: contact.userId,
  items: [],
  total: { amount: 100, currency: 'EUR' },
}
const listing = { userId: contact.userId, limit: 10, after: undefined }
const deliveries = async () => (await client.query('SELECT status, attempts, next_attempt_at FROM deliveries')).rows

test('an event is recorded once, also when it arrives at the same time', async () => {
  const eventId = randomUUID()
  await Promise.all([1, 2, 3, 4].map(() => service().orderPlaced(eventId, order)))
  await service().orderPlaced(eventId, order)
  const notifications = await service().notificationsOf(viewer, listing)
  assert.deepEqual(
    notifications.map(({ type, orderId, deliveries }) => ({ type, orderId, deliveries: deliveries.length })),
    [{ type: 'ORDER_PLACED', orderId: order.orderId, deliveries: 1 }],
  )
})

test("notifications are their owner's alone, whatever the scopes", async () => {
  await service().userRegistered(randomUUID(), contact)
  const admin = { ...viewer, sub: randomUUID(), scopes: ['users:read', 'users:write', 'orders:read'] }
  await assert.rejects(service().notificationsOf(admin, listing), { code: 'NOT_FOUND' })
  await assert.rejects(service().notificationsOf({ ...viewer, sub: null, anonymous: true }, listing), {
    code: 'NOT_FOUND',
  })
  assert.equal((await service().notificationsOf(viewer, listing)).length, 1)
})

test('a delivery is sent once by several workers', async () => {
  for (let n = 0; n < 30; n++) await service().userRegistered(randomUUID(), { ...contact, userId: randomUUID() })
  await Promise.all(Array.from({ length: 5 }, () => service().deliverDue()))
  while (await service().deliverDue());
  assert.equal(sent.length, 30)
  assert.equal(new Set(sent.map(({ id }) => id)).size, 30)
  assert.ok((await deliveries()).every(({ status, attempts }) => status === 'SENT' && attempts === 1))
})

test('a delivery whose worker died is sent again after its lease, under the same id', async () => {
  await service().userRegistered(randomUUID(), contact)
  const [taken] = await store.takeDue({
    limit: 10,
    at: clock,
    leaseUntil: new Date(clock.getTime() + 30_000),
    giveUp: 1_000,
  })
  await service().deliverDue()
  assert.equal(sent.length, 0, 'it is leased')
  clock = new Date(clock.getTime() + 30_000)
  await service().deliverDue()
  assert.deepEqual(
    sent.map(({ id }) => id),
    [taken?.id],
  )
  assert.equal((await deliveries())[0].attempts, 2)
})

test('a worker whose lease is over hands nothing over', async () => {
  await service().userRegistered(randomUUID(), contact)
  const slow: NotificationsStore = {
    ...store,
    async takeDue(request) {
      const taken = await store.takeDue(request)
      clock = request.leaseUntil
      return taken
    },
  }
  await service(recording, slow).deliverDue()
  assert.equal(sent.length, 0)
  await service().deliverDue()
  assert.equal(sent.length, 1)
})

test('an attempt that fails is repeated after a pause, and given up after a day', async () => {
  const failing = service({ send: () => Promise.reject(new Error('mailbox full')) })
  await failing.userRegistered(randomUUID(), contact)
  await failing.deliverDue()
  await failing.deliverDue()
  const [{ status, attempts, next_attempt_at: next }] = await deliveries()
  assert.deepEqual(
    { status, attempts, next },
    { status: 'QUEUED', attempts: 1, next: new Date(clock.getTime() + 1_000) },
  )
  clock = new Date(clock.getTime() + 86_400_000)
  await failing.deliverDue()
  assert.equal((await deliveries())[0].status, 'FAILED')
  clock = new Date(clock.getTime() + 86_400_000)
  await service().deliverDue()
  assert.equal(sent.length, 0)
})

test('one delivery that fails does not keep the others from being sent', async () => {
  const failing: ChannelSender = {
    async send(message, recipient) {
      if (recipient.email === 'bad@example.com') throw new Error('no such mailbox')
      sent.push({ ...message, recipient })
    },
  }
  await service().userRegistered(randomUUID(), { ...contact, userId: randomUUID(), email: 'bad@example.com' })
  await service().userRegistered(randomUUID(), contact)
  await service(failing).deliverDue()
  assert.equal(sent.length, 1)
})

test('an order that is heard of before its customer is delivered once the customer is known, at the first attempt', async () => {
  await service().orderPlaced(randomUUID(), order)
  await service().deliverDue()
  assert.equal(sent.length, 0)
  await service().userRegistered(randomUUID(), contact)
  await service().deliverDue()
  assert.deepEqual(
    sent.map(({ recipient }) => recipient.email),
    ['eve@example.com', 'eve@example.com'],
  )
  assert.deepEqual(
    (await deliveries()).map(({ attempts }) => attempts),
    [1, 1],
  )
})

test('a delivery to a customer who never becomes known is given up after a day', async () => {
  await service().orderPlaced(randomUUID(), order)
  clock = new Date(clock.getTime() + 86_400_000)
  await service().deliverDue()
  assert.equal((await deliveries())[0].status, 'FAILED')
})
