import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import * as contracts from '#contracts/events.ts'
import type { BusEvent } from '#platform/bus/bus.ts'
import { createEventHandlers } from '../events.ts'
import { browser, listingOf, openNotifications, orderOf, principalOf, someone } from './open-notifications.ts'

/** What events leave behind. */

let shop: Awaited<ReturnType<typeof openNotifications>>
before(async () => {
  shop = await openNotifications()
})
beforeEach(() => shop.clear())
after(() => shop.close())

const phone = '+49301234567'

/** Hands an event to the service as the event log does. */
async function tell(event: { type: string; topic: string; key: string; data: object }, sequence = 1): Promise<void> {
  const handler = createEventHandlers(shop.service).find(({ type }) => type === event.type)
  assert.ok(handler, event.type)
  const common = { id: randomUUID(), source: event.topic, time: new Date('2026-02-03T04:05:06Z'), sequence }
  await handler.handle({ ...event, ...common } satisfies BusEvent)
}

test('every event that a person is to hear of is a notification of its type, about its order', async () => {
  const eve = someone()
  const order = orderOf(eve)
  const { orderId, number, customerId, total } = order
  const payment = { paymentId: randomUUID(), orderId, customerId, orderNumber: number }
  const { userId, name, email, locale } = eve
  await tell(contracts.userRegistered.of({ userId, name, email, locale }))
  await tell(contracts.userSignedIn.of({ userId }))
  await tell(contracts.userPasswordChanged.of({ userId }))
  await tell(contracts.userUpdated.of({ userId, name, email: 'new@example.com', locale }), 4)
  await tell(contracts.orderCreated.of(order))
  await tell(contracts.orderPaid.of({ orderId, number, customerId, total }))
  await tell(contracts.orderShipped.of({ orderId, number, customerId, trackingNumber: 'T1' }))
  await tell(contracts.orderDelivered.of({ orderId, number, customerId }))
  await tell(contracts.orderCancelled.of({ orderId, number, customerId, reason: 'EXPIRED' }))
  await tell(contracts.paymentDeclined.of({ ...payment, reason: 'card_declined' }))
  const refund = { refundId: randomUUID(), amount: total, refunded: total, full: true, reason: 'broken' }
  await tell(contracts.paymentRefunded.of({ ...payment, ...refund }))

  const told = await shop.service.notificationsOf(principalOf(eve), listingOf(eve))
  const byType = new Map(told.map(({ facts, orderId }) => [facts.type, { facts, orderId }]))
  const at = '2026-02-03T04:05:06.000Z'
  assert.deepEqual(Object.fromEntries(byType), {
    WELCOME: { facts: { type: 'WELCOME' }, orderId: null },
    NEW_SIGN_IN: { facts: { type: 'NEW_SIGN_IN', at }, orderId: null },
    PASSWORD_CHANGED: { facts: { type: 'PASSWORD_CHANGED', at }, orderId: null },
    EMAIL_CHANGED: { facts: { type: 'EMAIL_CHANGED', at }, orderId: null },
    ORDER_PLACED: { facts: { type: 'ORDER_PLACED', number, items: [], total }, orderId },
    ORDER_PAID: { facts: { type: 'ORDER_PAID', number, total }, orderId },
    ORDER_SHIPPED: { facts: { type: 'ORDER_SHIPPED', number, trackingNumber: 'T1' }, orderId },
    ORDER_DELIVERED: { facts: { type: 'ORDER_DELIVERED', number }, orderId },
    ORDER_CANCELLED: { facts: { type: 'ORDER_CANCELLED', number, reason: 'EXPIRED' }, orderId },
    PAYMENT_DECLINED: {
      facts: { type: 'PAYMENT_DECLINED', number, amount: null, reason: 'card_declined' },
      orderId,
    },
    PAYMENT_REFUNDED: { facts: { type: 'PAYMENT_REFUNDED', number, amount: total, full: true }, orderId },
  })
  assert.equal(told.length, 11)
  assert.deepEqual(new Set(shop.outcomes), new Set(['IN_APP recorded']))
})

test('an event is recorded once, also when it arrives at the same time', async () => {
  const eve = someone()
  const [eventId, order] = [randomUUID(), orderOf(eve)]
  await Promise.all([1, 2, 3, 4].map(() => shop.open().orderPlaced(eventId, order)))
  await shop.service.orderPlaced(eventId, order)
  const notifications = await shop.service.notificationsOf(principalOf(eve), listingOf(eve))
  assert.deepEqual(
    notifications.map(({ orderId, deliveries }) => ({ orderId, deliveries: deliveries.length })),
    [{ orderId: order.orderId, deliveries: 1 }],
  )
  assert.deepEqual(shop.outcomes, ['IN_APP recorded'])
})

test('a notification goes over every channel that leads to the person, to each browser once', async () => {
  const eve = someone({ phone })
  await shop.service.userUpdated(randomUUID(), eve)
  await shop.service.subscribeToPush(principalOf(eve), browser())
  await shop.service.subscribeToPush(principalOf(eve), browser())
  await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  assert.deepEqual(
    (await shop.deliveries()).map(({ channel }) => channel),
    ['EMAIL', 'SMS', 'PUSH', 'PUSH'],
  )
})

test('a channel that is not open gets no deliveries', async () => {
  const eve = someone({ phone })
  const service = shop.open({ closed: ['SMS', 'PUSH'] })
  await service.userUpdated(randomUUID(), eve)
  await service.subscribeToPush(principalOf(eve), browser())
  await service.orderPlaced(randomUUID(), orderOf(eve))
  assert.deepEqual(
    (await shop.deliveries()).map(({ channel }) => channel),
    ['EMAIL'],
  )
})

test('what is switched off is not sent, is in the list all the same, and what cannot be switched off is sent', async () => {
  const eve = someone({ phone })
  await shop.service.userUpdated(randomUUID(), eve)
  const off = (channel: 'EMAIL' | 'SMS', type: 'ORDER_PLACED' | 'ORDER_PAID') => ({ channel, type, enabled: false })
  await shop.service.updatePreferences(principalOf(eve), [off('EMAIL', 'ORDER_PLACED'), off('SMS', 'ORDER_PLACED')])
  await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  assert.deepEqual(await shop.deliveries(), [])
  assert.equal((await shop.service.notificationsOf(principalOf(eve), listingOf(eve))).length, 1)
  await shop.sql(
    `INSERT INTO preferences VALUES ($1, 'EMAIL', 'NEW_SIGN_IN', false), ($1, 'SMS', 'NEW_SIGN_IN', false)`,
    [eve.userId],
  )
  await shop.service.userSignedIn(randomUUID(), { userId: eve.userId, at: shop.clock.now })
  assert.deepEqual(
    (await shop.deliveries()).map(({ channel }) => channel),
    ['EMAIL', 'SMS'],
  )
})

test('an event from before phone numbers were told leaves the one that is known, and one that tells of none takes it away', async () => {
  const { userId, name, email, locale } = someone()
  const known = { userId, name, email, locale }
  const kept = async () => (await shop.sql('SELECT phone FROM contacts'))[0]?.phone
  await tell(contracts.userRegistered.of(known), 1)
  assert.equal(await kept(), null)
  await tell(contracts.userUpdated.of({ ...known, phone }), 2)
  await tell(contracts.userUpdated.of(known), 3)
  assert.equal(await kept(), phone)
  await tell(contracts.userUpdated.of({ ...known, phone: null }), 4)
  assert.equal(await kept(), null)
})

test('what nobody could be told, such as an amount in no currency, is poison and leaves nothing behind', async () => {
  const order = { ...orderOf(someone()), total: { amount: 100, currency: 'x y' } }
  await assert.rejects(shop.service.orderPlaced(randomUUID(), order), RangeError)
  assert.deepEqual(await shop.sql('SELECT 1 FROM inbox'), [])
})

test('of events that are there at once one that cannot be written undoes none beside it, and each has its effect once', async () => {
  const [eve, bob] = [someone(), someone()]
  const paid = (person: typeof eve, number: string) => ({ ...orderOf(person), number })
  const good = randomUUID()
  const outcomes = await Promise.allSettled([
    shop.service.orderPaid(good, paid(eve, 'A-1')),
    // No text of PostgreSQL.
    shop.service.orderPaid(randomUUID(), paid(bob, 'A-\0')),
    shop.service.orderPaid(good, paid(eve, 'A-1')),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const rows = await shop.sql('SELECT user_id FROM notifications')
  assert.deepEqual(rows, [{ user_id: eve.userId }])
  assert.equal((await shop.sql('SELECT FROM inbox')).length, 1)
})

test('of an event that comes twice at the same moment there is one notification', async () => {
  const eve = someone()
  const eventId = randomUUID()
  await Promise.all([1, 2, 3].map(() => shop.service.orderPaid(eventId, orderOf(eve))))
  assert.equal((await shop.sql('SELECT FROM notifications')).length, 1)
  assert.equal((await shop.sql('SELECT FROM deliveries')).length, 1)
})

test('of sign-ins in 5 minutes the first is told, of each account, and by when they were, not when they are heard of', async () => {
  const [eve, bob] = [someone(), someone()]
  const start = shop.clock.now.getTime()
  const seconds = (count: number) => new Date(start + count * 1_000)
  const signIn = (person: typeof eve, second: number, eventId = randomUUID()) =>
    shop.service.userSignedIn(eventId, { userId: person.userId, at: seconds(second) })
  shop.clock.now = seconds(1_000)
  const quiet = randomUUID()
  await shop.service.passwordChanged(randomUUID(), { userId: eve.userId, at: seconds(0) })
  for (const second of [0, 1, 299]) await signIn(eve, second)
  await signIn(bob, 2)
  await signIn(eve, 299, quiet)
  for (const second of [300, 599, 601]) await signIn(eve, second)
  const told = async ({ userId }: typeof eve) =>
    (
      await shop.sql(
        "SELECT facts->>'at' AS at FROM notifications WHERE user_id = $1 AND type = 'NEW_SIGN_IN' ORDER BY 1",
        [userId],
      )
    ).map(({ at }) => at)
  assert.deepEqual(
    await told(eve),
    [0, 300, 601].map((second) => seconds(second).toISOString()),
  )
  assert.deepEqual(await told(bob), [seconds(2).toISOString()])
  assert.equal((await shop.sql('SELECT FROM inbox WHERE event_id = $1', [quiet])).length, 1)
  assert.equal(shop.outcomes.length, 5)
})

test('an account gets 60 mails, 20 SMS and 60 pushes an hour at the most, however many instances tell, and all of it in the list', async () => {
  const [eve, bob] = [someone({ phone }), someone({ phone })]
  const stores = [shop.openStore(), shop.openStore(), shop.openStore()]
  const instances = stores.map((of) => shop.open({ of }))
  for (const person of [eve, bob]) {
    await shop.service.userUpdated(randomUUID(), person)
    await shop.service.subscribeToPush(principalOf(person), browser())
  }
  await shop.service.subscribeToPush(principalOf(eve), browser())
  const place = (times: number) =>
    Promise.all(
      Array.from({ length: times }, (_, n) => instances[n % 3]?.orderPlaced(randomUUID(), orderOf(eve))).concat(
        shop.service.orderPlaced(randomUUID(), orderOf(bob)),
      ),
    )
  const counted = async ({ userId }: typeof eve) => {
    const rows = await shop.sql(
      `SELECT channel, count(*)::int AS rows FROM deliveries d JOIN notifications n ON n.id = notification_id
       WHERE user_id = $1 AND created_at = $2 GROUP BY channel`,
      [userId, shop.clock.now],
    )
    return Object.fromEntries(rows.map(({ channel, rows }) => [channel, rows]))
  }
  // One after the other, and at once, within a statement and in several.
  for (const times of [1, 1, 15, 15, 90]) await place(times)
  assert.deepEqual(await counted(eve), { EMAIL: 60, SMS: 20, PUSH: 60 })
  assert.deepEqual(await counted(bob), { EMAIL: 5, SMS: 5, PUSH: 5 })
  assert.deepEqual(await shop.sql('SELECT count(*)::int AS rows FROM notifications'), [{ rows: 122 + 5 }])

  // An hour begins with its first delivery.
  shop.wait(3_599_999)
  await place(1)
  assert.deepEqual(await counted(eve), {})
  shop.wait(1)
  await place(90)
  assert.deepEqual(await counted(eve), { EMAIL: 60, SMS: 20, PUSH: 60 })
  await Promise.all(stores.map(({ close }) => close()))
})

test('what protects the account is sent however much the account got, and takes no place of what is bounded', async () => {
  const eve = someone({ phone })
  const { userId } = eve
  await shop.service.userUpdated(randomUUID(), eve)
  const change = () => shop.service.passwordChanged(randomUUID(), { userId, at: shop.clock.now })
  const place = () => shop.service.orderPlaced(randomUUID(), orderOf(eve))
  const counted = async (type: string) => {
    const rows = await shop.sql(
      `SELECT channel, count(*)::int AS rows FROM deliveries d JOIN notifications n ON n.id = notification_id
       WHERE type = $1::notification_type GROUP BY channel`,
      [type],
    )
    return Object.fromEntries(rows.map(({ channel, rows }) => [channel, rows]))
  }
  for (let n = 0; n < 35; n++) await change()
  await Promise.all(Array.from({ length: 70 }, place))
  for (let n = 0; n < 30; n++) await Promise.all([change(), place()])
  assert.deepEqual(await counted('PASSWORD_CHANGED'), { EMAIL: 65, SMS: 65 })
  assert.deepEqual(await counted('ORDER_PLACED'), { EMAIL: 60, SMS: 20 })
})

test('a change of the password ends the pushes to browsers that subscribed before it, with the event and once', async () => {
  const [eve, bob] = [someone(), someone()]
  const before = shop.clock.now
  const subscribe = async (person: typeof eve) =>
    (await shop.service.subscribeToPush(principalOf(person), browser())).id
  const kept = async () => (await shop.sql('SELECT id FROM push_subscriptions')).map(({ id }) => id).sort()
  const old = await subscribe(eve)
  const another = await subscribe(bob)
  shop.wait(1)
  const fresh = await subscribe(eve)
  const event = randomUUID()
  const change = () => shop.service.passwordChanged(event, { userId: eve.userId, at: shop.clock.now })

  await shop.sql(`
    CREATE FUNCTION refuse_notes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION refuse_notes()`)
  await assert.rejects(change())
  await shop.sql('DROP TRIGGER refuse ON notifications')
  assert.deepEqual(await kept(), [old, another, fresh].sort(), 'what is not recorded has no effect')

  await change()
  assert.deepEqual(await kept(), [another, fresh].sort())
  const pushed = await shop.sql(`SELECT target_id FROM deliveries WHERE channel = 'PUSH'`)
  assert.deepEqual(pushed, [{ target_id: fresh }])

  const changed = shop.clock.now
  shop.clock.now = before
  const late = await subscribe(eve)
  shop.clock.now = changed
  await change()
  assert.deepEqual(await kept(), [another, fresh, late].sort(), 'a repeat has no effect')
})
