import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { ServiceError } from '#platform/errors.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import type { Channel, EmailTarget } from '../domain/channel.ts'
import { browser, openNotifications, orderOf, principalOf, someone } from './open-notifications.ts'

/** What the workers make of deliveries. */

let shop: Awaited<ReturnType<typeof openNotifications>>
before(async () => {
  shop = await openNotifications()
})
beforeEach(() => shop.clear())
after(() => shop.close())

const mail = (send: Channel<EmailTarget>['send']) => ({ EMAIL: { send, async close() {} } })
const failing = mail(() => Promise.reject(Object.assign(new Error('to eve@example.com'), { code: 'ECONNREFUSED' })))
const taking = (channel: 'EMAIL' | 'PUSH' = 'EMAIL') => ({
  channel,
  limit: 10,
  at: shop.clock.now,
  leaseUntil: new Date(shop.clock.now.getTime() + 30_000),
  giveUp: 1_000,
})

test('a delivery is sent once by several workers', async () => {
  for (let n = 0; n < 60; n++) await shop.service.userRegistered(randomUUID(), someone())
  await Promise.all(Array.from({ length: 5 }, () => shop.open().deliverDue('EMAIL')))
  while (await shop.service.deliverDue('EMAIL'));
  assert.equal(shop.sent.length, 60)
  assert.equal(new Set(shop.sent.map(({ id }) => id)).size, 60)
  assert.ok((await shop.deliveries()).every(({ status, attempts }) => status === 'SENT' && attempts === 1))
})

test('a delivery whose worker died is sent again after its lease, under the same id', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  const [taken] = await shop.store.takeDue(taking())
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0, 'it is leased')
  shop.wait(30_000)
  await shop.service.deliverDue('EMAIL')
  assert.deepEqual(
    shop.sent.map(({ id }) => id),
    [taken?.id],
  )
  assert.equal((await shop.deliveries())[0]?.attempts, 2)
})

test('a worker whose lease is over hands nothing over', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  const slow: typeof shop.store = {
    ...shop.store,
    async takeDue(request) {
      const taken = await shop.store.takeDue(request)
      shop.clock.now = request.leaseUntil
      return taken
    },
  }
  await shop.open({ of: slow }).deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0)
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 1)
})

test('an attempt that fails when another worker has its delivery since changes nothing', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  const channels = mail(async () => {
    shop.wait(30_000)
    await shop.service.deliverDue('EMAIL')
    throw new Error('too late')
  })
  // The second time it would be given up.
  for (const wait of [0, 86_339_000]) {
    await shop.sql(`UPDATE deliveries SET status = 'QUEUED'`)
    shop.wait(wait)
    await shop.open({ channels }).deliverDue('EMAIL')
    assert.equal((await shop.deliveries())[0]?.status, 'SENT')
  }
  assert.equal(shop.sent.length, 2)
  assert.deepEqual(new Set(shop.outcomes), new Set(['IN_APP recorded', 'EMAIL sent']))
})

test('a worker that fails late leaves the lease to the one that has the delivery since', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  const channels = mail(async () => {
    shop.wait(30_000)
    await shop.store.takeDue(taking())
    throw new Error('too late')
  })
  await shop.open({ channels }).deliverDue('EMAIL')
  shop.wait(2_000)
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0)
})

test('an attempt that takes as long as its lease is given up before the lease ends', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  const slow: typeof shop.store = {
    ...shop.store,
    async takeDue(request) {
      const taken = await shop.store.takeDue(request)
      shop.clock.now = new Date(request.leaseUntil.getTime() - 5_050)
      return taken
    },
  }
  const channels = mail((_message, _target, signal) => {
    const { promise, reject } = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => reject(signal.reason))
    return promise
  })
  await shop.open({ of: slow, channels }).deliverDue('EMAIL')
  assert.deepEqual(shop.failures, ['EMAIL 1 TimeoutError'])
})

test('an attempt that fails is repeated after a pause, and given up after a day', async () => {
  const service = shop.open({ channels: failing })
  await service.userRegistered(randomUUID(), someone())
  await service.deliverDue('EMAIL')
  await service.deliverDue('EMAIL')
  const next = new Date(shop.clock.now.getTime() + 1_000)
  assert.deepEqual(await shop.deliveries(), [{ channel: 'EMAIL', status: 'QUEUED', attempts: 1, next }])
  shop.wait(86_400_000)
  await service.deliverDue('EMAIL')
  assert.equal((await shop.deliveries())[0]?.status, 'FAILED')
  shop.wait(86_400_000)
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0)
  assert.deepEqual(shop.outcomes, ['IN_APP recorded', 'EMAIL retried', 'EMAIL failed'])
  assert.deepEqual(shop.failures, ['EMAIL 1 ECONNREFUSED', 'EMAIL 2 ECONNREFUSED'], 'without what it was about')
})

test('a refusal is final at once', async () => {
  const service = shop.open({ channels: mail(async () => ({ sent: false, reason: 'smtp 550' })) })
  await service.userRegistered(randomUUID(), someone())
  await service.deliverDue('EMAIL')
  const [delivery] = await shop.sql('SELECT status, attempts, last_error FROM deliveries')
  assert.deepEqual(delivery, { status: 'FAILED', attempts: 1, last_error: 'smtp 550' })
})

test('one delivery that fails does not keep the others from being sent', async () => {
  const [bad, good] = [someone(), someone()]
  for (const contact of [bad, good]) await shop.service.userRegistered(randomUUID(), contact)
  const addresses: string[] = []
  const channels = mail(async (_message, { email }) => {
    if (email === bad.email) throw new Error('no such mailbox')
    addresses.push(email)
    return { sent: true }
  })
  await shop.open({ channels }).deliverDue('EMAIL')
  assert.deepEqual(addresses, [good.email])
})

test('a channel that hangs holds up no other, and not the events', async () => {
  const eve = someone({ phone: '+49301234567' })
  const { promise, resolve } = Promise.withResolvers<{ sent: true }>()
  const started: string[] = []
  const service = shop.open({
    channels: mail(({ id }) => {
      started.push(id)
      return promise
    }),
  })
  await service.userRegistered(randomUUID(), eve)
  const hanging = service.deliverDue('EMAIL')
  await waitFor('the mail to hang', () => started.length > 0)
  await service.orderPlaced(randomUUID(), orderOf(eve))
  await service.deliverDue('SMS')
  assert.deepEqual(
    shop.sent.map(({ channel }) => channel),
    ['SMS', 'SMS'],
  )
  resolve({ sent: true })
  await hanging
})

test('an attempt that hangs holds up no other over its channel', async () => {
  const hanging = Promise.withResolvers<{ sent: true }>()
  let attempts = 0
  const service = shop.open({
    channels: mail(() => (attempts++ === 0 ? hanging.promise : Promise.resolve({ sent: true }))),
  })
  for (let n = 0; n < 120; n++) await shop.service.userRegistered(randomUUID(), someone())
  const sent = `SELECT count(*)::int AS rows FROM deliveries WHERE status = 'SENT'`
  while (await service.beginDue('EMAIL'));
  await waitFor('all but one', async () => (await shop.sql(sent))[0].rows === 119)
  hanging.resolve({ sent: true })
  await service.attemptsEnded('EMAIL')
  assert.equal((await shop.sql(sent))[0].rows, 120)
})

test('whoever stops waits for every attempt, also beside one that could not be written down', async () => {
  for (let n = 0; n < 2; n++) await shop.service.userRegistered(randomUUID(), someone())
  const slow = Promise.withResolvers<{ sent: true }>()
  let attempts = 0
  const channels = mail(() => (attempts++ === 0 ? Promise.resolve({ sent: true }) : slow.promise))
  const failingStore: typeof shop.store = {
    ...shop.store,
    async markSent(...args) {
      if (attempts === 2) {
        attempts++
        throw Object.assign(new Error('to eve@example.com'), { code: 'P1001' })
      }
      return shop.store.markSent(...args)
    },
  }
  const service = shop.open({ of: failingStore, channels })
  await service.beginDue('EMAIL')
  await waitFor('the failure', () => shop.failures.length > 0)
  let ended = false
  const stopped = service.attemptsEnded('EMAIL').then(() => {
    ended = true
  })
  await shop.deliveries()
  assert.equal(ended, false)
  slow.resolve({ sent: true })
  await stopped
  assert.deepEqual(shop.failures, ['EMAIL 1 P1001'])
  assert.deepEqual((await shop.deliveries()).map(({ status }) => status).sort(), ['QUEUED', 'SENT'])
})

test('no attempt is made before the other side wants one', async () => {
  const busy = new ServiceError('SUBGRAPH_UNAVAILABLE', 'Not now.', { subgraph: 'mail server', retryAfter: 120 })
  await shop.service.userRegistered(randomUUID(), someone())
  await shop.open({ channels: mail(() => Promise.reject(busy)) }).deliverDue('EMAIL')
  const [delivery] = await shop.deliveries()
  assert.deepEqual(delivery?.next, new Date(shop.clock.now.getTime() + 120_000))
})

test('an order that is heard of before its customer is mailed once the customer is known, at the first attempt', async () => {
  const eve = someone()
  await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0)
  await shop.service.userRegistered(randomUUID(), eve)
  await shop.service.deliverDue('EMAIL')
  assert.deepEqual(
    shop.sent.map(({ target }) => target.email),
    [eve.email, eve.email],
  )
  assert.ok((await shop.deliveries()).every(({ attempts }) => attempts === 1))
})

test('a delivery to a customer who never becomes known is given up after a day', async () => {
  await shop.service.orderPlaced(randomUUID(), orderOf(someone()))
  shop.wait(86_400_001)
  await shop.service.deliverDue('EMAIL')
  const [delivery] = await shop.sql('SELECT status, last_error FROM deliveries')
  assert.deepEqual(delivery, { status: 'FAILED', last_error: 'unknown account' })
})

test('what nobody sent for a day, since its worker died each time or was not there, is given up and not sent late', async () => {
  await shop.service.userRegistered(randomUUID(), someone())
  await shop.store.takeDue(taking())
  shop.wait(86_400_001)
  await shop.service.deliverDue('EMAIL')
  assert.equal(shop.sent.length, 0)
  const [delivery] = await shop.sql('SELECT status, last_error FROM deliveries')
  assert.deepEqual(delivery, { status: 'FAILED', last_error: 'too late' })
})

test('a message is in the language that the person has when it is sent', async () => {
  const eve = someone()
  await shop.service.userRegistered(randomUUID(), eve)
  await shop.service.userUpdated(randomUUID(), { ...eve, locale: 'zh-CN', sequence: 2 })
  await shop.service.deliverDue('EMAIL')
  assert.match(shop.sent[0]?.title ?? '', /\p{Script=Han}/u)
})

test('a subscription that its push service knows no longer is removed, unless the browser subscribed anew meanwhile', async () => {
  const eve = principalOf(someone())
  const [first, second] = [browser(), browser()]
  for (const input of [first, second]) await shop.service.subscribeToPush(eve, input)
  await shop.service.orderPlaced(randomUUID(), orderOf({ userId: eve.sub ?? '' }))
  await shop.service.userRegistered(randomUUID(), someone({ userId: eve.sub ?? '' }))
  const service = shop.open({
    channels: {
      PUSH: {
        async send(_message, { endpoint }) {
          const auth = 'AAAAAAAAAAAAAAAAAAAAAA'
          if (endpoint === second.endpoint) {
            await shop.service.subscribeToPush(eve, { ...second, keys: { ...second.keys, auth } })
          }
          return { sent: false, reason: 'push 410', gone: true }
        },
        async close() {},
      },
    },
  })
  await service.deliverDue('PUSH')
  assert.deepEqual(await shop.sql('SELECT endpoint FROM push_subscriptions'), [{ endpoint: second.endpoint }])
  const pushes = await shop.sql(`SELECT DISTINCT status, last_error FROM deliveries WHERE channel = 'PUSH'`)
  assert.deepEqual(pushes, [{ status: 'FAILED', last_error: 'push 410' }])
})

test('what was to be pushed to a browser that has another account now goes nowhere', async () => {
  const [eve, bob] = [someone(), someone()]
  const shared = browser()
  for (const contact of [eve, bob]) await shop.service.userUpdated(randomUUID(), contact)
  await shop.service.subscribeToPush(principalOf(eve), shared)
  await shop.service.orderPlaced(randomUUID(), orderOf(eve))
  await shop.service.subscribeToPush(principalOf(bob), shared)
  await shop.service.deliverDue('PUSH')
  assert.equal(shop.sent.length, 0)
  assert.deepEqual(shop.failures, ['PUSH 1 unsubscribed'])
})
