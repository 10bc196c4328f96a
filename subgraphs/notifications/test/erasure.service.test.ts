import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { Channel, EmailTarget } from '../domain/channel.ts'
import { browser, openNotifications, orderOf, principalOf, someone } from './open-notifications.ts'

/** What becomes of a person's data when the account changes, and when it is erased. */

let shop: Awaited<ReturnType<typeof openNotifications>>
before(async () => {
  shop = await openNotifications({ erasureBatch: 3 })
})
beforeEach(() => shop.clear())
after(() => shop.close())

const service = (send?: Channel<EmailTarget>['send']) =>
  shop.open(send && { channels: { EMAIL: { send, async close() {} } } })

async function count(table: string): Promise<number> {
  return Number((await shop.sql(`SELECT count(*) FROM ${table}`))[0].count)
}

/** All that is kept beside the marks of handled events. */
async function kept(): Promise<Record<string, number>> {
  const tables = [...Object.keys(nothing), 'erasures']
  const counts: [string, number][] = []
  for (const table of tables) counts.push([table, await count(table)])
  return Object.fromEntries(counts)
}

const nothing = {
  contacts: 0,
  notifications: 0,
  deliveries: 0,
  delivery_counts: 0,
  preferences: 0,
  push_subscriptions: 0,
}
const nothingBut = (erasures: number) => ({ ...nothing, erasures })

test('a contact is changed by newer events alone, whatever the order in which they arrive, and how often', async () => {
  const contact = someone()
  const changed = (sequence: number) => ({ ...contact, sequence, email: `${sequence}@example.com` })
  await service().userRegistered(randomUUID(), contact)
  const event = randomUUID()
  await service().userUpdated(event, changed(3))
  await service().userUpdated(randomUUID(), changed(2))
  await service().userRegistered(randomUUID(), contact)
  await service().userUpdated(event, changed(9))
  const known = async () => shop.sql('SELECT email, sequence FROM contacts')
  assert.deepEqual(await known(), [{ email: '3@example.com', sequence: 3 }])
  await Promise.all([8, 5, 7, 4, 6].map((sequence) => service().userUpdated(randomUUID(), changed(sequence))))
  assert.deepEqual(await known(), [{ email: '8@example.com', sequence: 8 }])
})

test('an update that is heard of before the registration stays, and the person is still welcomed', async () => {
  const contact = someone()
  await service().userUpdated(randomUUID(), { ...contact, email: 'new@example.com', sequence: 2 })
  await service().userRegistered(randomUUID(), contact)
  const addresses: string[] = []
  await service(async (_message, { email }) => {
    addresses.push(email)
    return { sent: true }
  }).deliverDue('EMAIL')
  assert.deepEqual(addresses, ['new@example.com'])
})

test('what is still to be sent goes to the new address', async () => {
  const contact = someone()
  await service().userRegistered(randomUUID(), contact)
  await service().userUpdated(randomUUID(), { ...contact, name: 'Eva', email: 'new@example.com', sequence: 2 })
  await service().deliverDue('EMAIL')
  const welcomes = shop.sent.filter(({ title }) => title.startsWith('Welcome'))
  assert.deepEqual(
    welcomes.map(({ target }) => [target.name, target.email]),
    [['Eva', 'new@example.com']],
  )
})

test('another address is told to the one before, with what protects the account and was still to be mailed, and the new one hears of none', async () => {
  const contact = someone()
  const { userId } = contact
  const mail = service()
  await mail.userRegistered(randomUUID(), contact)
  await mail.deliverDue('EMAIL')
  shop.sent.length = 0
  await mail.userSignedIn(randomUUID(), { userId, at: shop.clock.now })
  await mail.passwordChanged(randomUUID(), { userId, at: shop.clock.now })
  const event = randomUUID()
  for (let n = 0; n < 2; n += 1)
    await mail.userUpdated(event, { ...contact, email: 'thief@example.com', sequence: 4 }, shop.clock.now)
  await mail.userUpdated(randomUUID(), { ...contact, name: 'Eva', email: 'thief@example.com', sequence: 5 })
  await mail.userUpdated(randomUUID(), { ...contact, email: 'older@example.com', sequence: 3 })
  await mail.deliverDue('EMAIL')
  assert.deepEqual(
    shop.sent.map(({ target, title }) => [target.email, title]).sort(),
    ['New sign-in to your account', 'Your e-mail address was changed', 'Your password was changed'].map((title) => [
      contact.email,
      title,
    ]),
  )
  assert.deepEqual(await shop.sql('SELECT FROM deliveries WHERE address IS NOT NULL'), [], 'kept until it is sent')
})

test('the address before is forgotten by an erasure, and where its mail is given up', async () => {
  const kept = () => shop.sql('SELECT FROM deliveries WHERE address IS NOT NULL')
  for (const end of ['refused', 'erased']) {
    const contact = someone()
    await service().userRegistered(randomUUID(), contact)
    await service().deliverDue('EMAIL')
    await service().userUpdated(randomUUID(), { ...contact, email: 'new@example.com', sequence: 2 })
    assert.equal((await kept()).length, 1)
    if (end === 'erased') await service().userErased(randomUUID(), contact.userId)
    else await service(async () => ({ sent: false, reason: '550' })).deliverDue('EMAIL')
    assert.deepEqual(await kept(), [])
  }
})

test('an erasure deletes contact, notifications, deliveries, preferences and subscriptions, and leaves the account id and the time', async () => {
  const [erased, other] = [someone(), someone()]
  for (const contact of [erased, other]) {
    await service().userRegistered(randomUUID(), contact)
    await service().orderPlaced(randomUUID(), orderOf(contact))
    await service().subscribeToPush(principalOf(contact), browser())
    const change = { channel: 'SMS', type: 'WELCOME', enabled: false } as const
    await service().updatePreferences(principalOf(contact), [change])
  }
  await service().deliverDue('EMAIL')
  await service().orderPlaced(randomUUID(), orderOf(erased))
  await service().userErased(randomUUID(), erased.userId)
  assert.deepEqual(await kept(), {
    contacts: 1,
    notifications: 2,
    deliveries: 2,
    delivery_counts: 1,
    preferences: 1,
    push_subscriptions: 1,
    erasures: 1,
  })
  assert.deepEqual((await shop.sql('SELECT * FROM contacts'))[0]?.user_id, other.userId)
  assert.deepEqual(await shop.sql('SELECT * FROM erasures'), [{ user_id: erased.userId, erased_at: shop.clock.now }])
})

test('an erasure that arrives twice, also at the same time, has its effect once', async () => {
  const contact = someone()
  await service().userRegistered(randomUUID(), contact)
  const event = randomUUID()
  await Promise.all([1, 2, 3, 4].map(() => service().userErased(event, contact.userId)))
  await service().userErased(event, contact.userId)
  await service().userErased(randomUUID(), contact.userId)
  assert.deepEqual(await kept(), nothingBut(1))
  assert.equal(await count('inbox'), 3)
})

test('an erasure that fails has no effect, and is not marked as handled', async () => {
  const contact = someone()
  await service().userRegistered(randomUUID(), contact)
  await shop.sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON contacts FOR EACH ROW EXECUTE FUNCTION refuse()`)
  const event = randomUUID()
  await assert.rejects(service().userErased(event, contact.userId))
  await shop.sql('DROP TRIGGER refuse ON contacts')
  assert.deepEqual(await kept(), {
    ...nothing,
    contacts: 1,
    notifications: 1,
    deliveries: 1,
    delivery_counts: 1,
    erasures: 0,
  })
  await service().userErased(event, contact.userId)
  assert.deepEqual(await kept(), nothingBut(1))
})

test('an erasure deletes in batches, and one that ends between two of them is completed by its repeat', async () => {
  const contact = someone()
  await service().userRegistered(randomUUID(), contact)
  for (let n = 0; n < 7; n += 1) {
    shop.wait(1)
    await service().orderPlaced(randomUUID(), orderOf(contact))
  }
  await shop.sql(`
    CREATE FUNCTION refuse_welcome() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON notifications FOR EACH ROW WHEN (OLD.type = 'WELCOME')
    EXECUTE FUNCTION refuse_welcome()`)
  const event = randomUUID()
  const before = await count('inbox')
  await assert.rejects(service().userErased(event, contact.userId))
  await service().orderPlaced(randomUUID(), orderOf(contact))
  assert.deepEqual(await kept(), { ...nothingBut(1), notifications: 2, deliveries: 2 })
  await service().deliverDue('EMAIL')
  assert.deepEqual(shop.sent, [], 'nobody is written to any more')
  await shop.sql('DROP TRIGGER refuse ON notifications')
  await service().userErased(event, contact.userId)
  assert.deepEqual(await kept(), nothingBut(1))
  assert.equal(await count('inbox'), before + 2, 'the erasure and the order that came too late')
})

test('events about an erased account that arrive later write nothing personal', async () => {
  const contact = someone()
  await service().userErased(randomUUID(), contact.userId)
  await service().orderPlaced(randomUUID(), orderOf(contact))
  await service().userRegistered(randomUUID(), contact)
  await service().userUpdated(randomUUID(), { ...contact, sequence: 9 })
  assert.deepEqual(await kept(), nothingBut(1))
})

test('what is recorded at the same time as an erasure is deleted or not written', async () => {
  const people = Array.from({ length: 20 }, () => someone())
  // Of two people at once, for which there are connections: none waits so long for one that it is refused.
  for (let n = 0; n < people.length; n += 2) {
    await Promise.all(
      people
        .slice(n, n + 2)
        .flatMap((contact) => [
          service().userRegistered(randomUUID(), contact),
          service().orderPlaced(randomUUID(), orderOf(contact)),
          service().userErased(randomUUID(), contact.userId),
          service().userUpdated(randomUUID(), { ...contact, sequence: 2 }),
        ]),
    )
  }
  assert.deepEqual(await kept(), nothingBut(people.length))
})

test('a delivery that a worker took before the erasure may go out, and leaves nothing behind, sent or failed', async () => {
  for (const outcome of ['sent', 'failed']) {
    const contact = someone()
    await service().userRegistered(randomUUID(), contact)
    const erasing = service(async () => {
      await service().userErased(randomUUID(), contact.userId)
      if (outcome === 'failed') throw new Error('mailbox full')
      return { sent: true }
    })
    await erasing.deliverDue('EMAIL')
    assert.equal(shop.failures.length, outcome === 'failed' ? 1 : 0)
    assert.equal(await count('deliveries'), 0)
  }
  assert.deepEqual(await kept(), nothingBut(2))
})
