import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import type { Principal } from '#platform/principal.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import type { Channel, ChannelName, Channels, EmailTarget, Message, PushTarget, SmsTarget } from '../domain/channel.ts'
import type { Contact } from '../domain/contact.ts'
import { createNotificationsService } from '../service.ts'
import type { ErasureOptions } from '../store/events.ts'
import { createNotificationsStore, type NotificationsStore } from '../store.ts'
import * as templates from '../templates/templates.ts'

export type Sent = Message & { channel: ChannelName; target: EmailTarget & SmsTarget & PushTarget }

export type OpenOptions = { channels?: Partial<Channels>; of?: NotificationsStore; closed?: ChannelName[] }

/** The notifications service on a database of its own, with a clock that stands still and channels that remember. */
export async function openNotifications(options: ErasureOptions = {}) {
  const url = await createTestDatabase('notifications')
  const database = openDatabase({ name: 'test', url, poolSize: 10, log })
  const store = createNotificationsStore(database.adapter, options)
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const sql = async (query: string, values: unknown[] = []) => (await pool.query(query, values)).rows
  const clock = { now: new Date('2026-01-01T00:00:00Z') }
  const sent: Sent[] = []
  const outcomes: string[] = []
  const failures: string[] = []

  const remembering = <Target>(channel: ChannelName): Channel<Target> => ({
    async send(message, target) {
      sent.push({ ...message, channel, target: target as Sent['target'] })
      return { sent: true }
    },
    async close() {},
  })

  /** The service, as another instance of it would be. What is due is sent when `deliverDue` returns. */
  const open = ({ channels, of = store, closed = [] }: OpenOptions = {}) => {
    const service = createNotificationsService({
      traces: { here: () => undefined, resume: (_delivery, attempt) => attempt(() => {}) },
      store: of,
      channels: {
        EMAIL: remembering('EMAIL'),
        ...(!closed.includes('SMS') && { SMS: remembering('SMS') }),
        ...(!closed.includes('PUSH') && { PUSH: remembering('PUSH') }),
        ...channels,
      },
      codeMail: remembering('EMAIL'),
      templates,
      pushPublicKey: undefined,
      allowsLocalPush: false,
      now: () => clock.now,
      newId: randomUUID,
      onDue() {},
      onOutcome: (channel, status) => void outcomes.push(`${channel} ${status}`),
      onFailedAttempt: ({ channel, attempt }, reason) => void failures.push(`${channel} ${attempt} ${reason}`),
      onUnsentCode() {},
    })
    const deliverDue = async (channel: ChannelName): Promise<boolean> => {
      const more = await service.deliverDue(channel)
      await service.attemptsEnded(channel)
      return more
    }
    return { ...service, deliverDue, beginDue: service.deliverDue }
  }

  return {
    store,
    service: open(),
    open,
    /** A store as another instance of the service has it. */
    openStore: () => createNotificationsStore(database.adapter, options),
    sql,
    clock,
    sent,
    outcomes,
    failures,
    /** Moves the clock on. */
    wait(milliseconds: number): void {
      clock.now = new Date(clock.now.getTime() + milliseconds)
    },
    deliveries: () => sql('SELECT channel, status, attempts, next_attempt_at AS next FROM deliveries ORDER BY channel'),
    async clear(): Promise<void> {
      for (const list of [sent, outcomes, failures]) list.length = 0
      await sql(
        'TRUNCATE notifications, contacts, preferences, push_subscriptions, delivery_counts, erasures, inbox CASCADE',
      )
    },
    async close(): Promise<void> {
      await pool.end()
      await store.close()
      await database.close()
    },
  }
}

export const someone = (changes: Partial<Contact> = {}): Contact => ({
  userId: randomUUID(),
  name: 'Eve Example',
  email: `${randomUUID()}@example.com`,
  locale: 'en',
  phone: null,
  sequence: 1,
  ...changes,
})

export const principalOf = ({ userId }: Pick<Contact, 'userId'>, scopes: string[] = []): Principal => ({
  sub: userId,
  sid: 's',
  scopes,
  anonymous: false,
  address: null,
})

export const nobody: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }

export const orderOf = ({ userId }: Pick<Contact, 'userId'>) => ({
  orderId: randomUUID(),
  number: 'AAAA-BBBB',
  customerId: userId,
  items: [],
  total: { amount: 100, currency: 'EUR' },
})

export const listingOf = ({ userId }: Pick<Contact, 'userId'>) => ({
  userId,
  unreadOnly: false,
  limit: 100,
  after: undefined,
})

/** A subscription as a browser makes one. */
export const browser = (endpoint = `https://push.example.com/${randomUUID()}`) => ({
  endpoint,
  keys: {
    p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
    auth: 'BTBZMqHH6r4Tts7J_aSIgg',
  },
})
