import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import type { ChannelSender, Contact } from '../domain.ts'
import { createNotificationsService } from '../service.ts'
import { createNotificationsStore, type NotificationsStore } from '../store.ts'
import * as english from '../templates/english.ts'

/** What becomes of a person's data when the account changes, and when it is erased. */

const clock = new Date('2026-01-01T00:00:00Z')
let database: ReturnType<typeof openDatabase>
let store: NotificationsStore
let client: pg.Client

before(async () => {
  const url = await createTestDatabase('notifications')
  database = openDatabase({ name: 'test', url, poolSize: 10, log })
  store = createNotificationsStore(database.adapter)
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
beforeEach(() => client.query('TRUNCATE notifications, contacts, erasures, inbox CASCADE'))
after(async () => {
  await client.end()
  await store.close()
  await database.close()
})

const service = (EMAIL: ChannelSender = { send: async () => {} }, failures: unknown[] = []) =>
  createNotificationsService({
    store,
    channels: { EMAIL },
    templates: english,
    now: () => clock,
    newId: randomUUID,
    onFailedAttempt: (_delivery, error) => void failures.push(error),
    onUnsentCode() {},
  })

const someone = (): Contact => ({
  userId: randomUUID(),
  name: 'Eve Example',
  email: `${randomUUID()}@example.com`,
  locale: 'en',
  sequence: 1,
})
const orderOf = ({ userId }: Contact) => ({
  orderId: randomUUID(),
  number: 'AAAA-BBBB',
  customerId: userId,
  items: [],
  total: { amount: 100, currency: 'EUR' },
})

async function count(table: string): Promise<number> {
  return Number((await client.query(`SELECT count(*) FROM ${table}`)).rows[0].count)
}

/** All that is kept beside the marks of handled events. */
async function kept(): Promise<Record<string, number>> {
  const tables = ['contacts', 'notifications', 'deliveries', 'erasures']
  const counts: [string, number][] = []
  for (const table of tables) counts.push([table, await count(table)])
  return Object.fromEntries(counts)
}

const nothingBut = (erasures: number) => ({ contacts: 0, notifications: 0, deliveries: 0, erasures })

test('a contact is changed by newer events alone, whatever the order in which they arrive, and how often', async () => {
  const contact = someone()
  const changed = (sequence: number) => ({ ...contact, sequence, email: `${sequence}@example.com` })
  await service().userRegistered(randomUUID(), contact)
  const event = randomUUID()
  await service().userUpdated(event, changed(3))
  await service().userUpdated(randomUUID(), changed(2))
  await service().userRegistered(randomUUID(), contact)
  await service().userUpdated(event, changed(9))
  const known = async () => (await client.query('SELECT email, sequence FROM contacts')).rows
  assert.deepEqual(await known(), [{ email: '3@example.com', sequence: 3 }])
  await Promise.all([8, 5, 7, 4, 6].map((sequence) => service().userUpdated(randomUUID(), changed(sequence))))
  assert.deepEqual(await known(), [{ email: '8@example.com', sequence: 8 }])
})

test('an update that is heard of before the registration stays, and the person is still welcomed', async () => {
  const contact = someone()
  await service().userUpdated(randomUUID(), { ...contact, email: 'new@example.com', sequence: 2 })
  await service().userRegistered(randomUUID(), contact)
  const addresses: string[] = []
  await service({ send: async (_message, { email }) => void addresses.push(email) }).deliverDue()
  assert.deepEqual(addresses, ['new@example.com'])
})

test('what is still to be sent goes to the new address', async () => {
  const contact = someone()
  await service().userRegistered(randomUUID(), contact)
  await service().userUpdated(randomUUID(), { ...contact, name: 'Eva', email: 'new@example.com', sequence: 2 })
  const recipients: object[] = []
  await service({ send: async (_message, recipient) => void recipients.push(recipient) }).deliverDue()
  assert.deepEqual(recipients, [{ name: 'Eva', email: 'new@example.com' }])
})

test('an erasure deletes contact, notifications and deliveries, and leaves the account id and the time', async () => {
  const [erased, other] = [someone(), someone()]
  for (const contact of [erased, other]) {
    await service().userRegistered(randomUUID(), contact)
    await service().orderPlaced(randomUUID(), orderOf(contact))
  }
  await service().deliverDue()
  await service().orderPlaced(randomUUID(), orderOf(erased))
  await service().userErased(randomUUID(), erased.userId)
  assert.deepEqual(await kept(), { contacts: 1, notifications: 2, deliveries: 2, erasures: 1 })
  assert.deepEqual((await client.query('SELECT * FROM contacts')).rows[0].user_id, other.userId)
  assert.deepEqual((await client.query('SELECT * FROM erasures')).rows, [{ user_id: erased.userId, erased_at: clock }])
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
  await client.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON contacts FOR EACH ROW EXECUTE FUNCTION refuse()`)
  const event = randomUUID()
  await assert.rejects(service().userErased(event, contact.userId))
  await client.query('DROP TRIGGER refuse ON contacts')
  assert.deepEqual(await kept(), { contacts: 1, notifications: 1, deliveries: 1, erasures: 0 })
  await service().userErased(event, contact.userId)
  assert.deepEqual(await kept(), nothingBut(1))
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
  const people = Array.from({ length: 20 }, someone)
  await Promise.all(
    people.flatMap((contact) => [
      service().userRegistered(randomUUID(), contact),
      service().orderPlaced(randomUUID(), orderOf(contact)),
      service().userErased(randomUUID(), contact.userId),
      service().userUpdated(randomUUID(), { ...contact, sequence: 2 }),
    ]),
  )
  assert.deepEqual(await kept(), nothingBut(people.length))
})

test('a delivery that a worker took before the erasure may go out, and leaves nothing behind, sent or failed', async () => {
  for (const outcome of ['sent', 'failed']) {
    const contact = someone()
    const failures: unknown[] = []
    await service().userRegistered(randomUUID(), contact)
    const erasing: ChannelSender = {
      async send() {
        await service().userErased(randomUUID(), contact.userId)
        if (outcome === 'failed') throw new Error('mailbox full')
      },
    }
    await service(erasing, failures).deliverDue()
    assert.equal(failures.length, outcome === 'failed' ? 1 : 0)
    assert.equal(await count('deliveries'), 0)
  }
  assert.deepEqual(await kept(), nothingBut(2))
})
