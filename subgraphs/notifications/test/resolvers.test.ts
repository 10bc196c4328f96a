import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { GraphQLResolveInfo } from 'graphql'
import { createLoader } from '#platform/loader.ts'
import type { Notification, UnreadCount } from '../domain/notification.ts'
import { createResolvers } from '../resolvers.ts'
import type { NotificationsService } from '../service.ts'
import { renderNotification } from '../templates/templates.ts'
import { principalOf, someone } from './open-notifications.ts'

test('the words of a notification are made once, however many fields and aliases ask for them', async () => {
  let made = 0
  const textOf: NotificationsService['textOf'] = (facts, person = someone()) => {
    made++
    return renderNotification(facts, person)
  }
  const { title, body } = createResolvers({ textOf } as NotificationsService).Notification ?? {}
  assert.ok(typeof title === 'function' && typeof body === 'function')
  const eve = someone()
  const context = {
    principal: principalOf(eve),
    notifications: createLoader<Notification>(
      async () => [],
      ({ id }) => id,
    ),
    contacts: createLoader(
      async () => [eve],
      ({ userId }) => userId,
    ),
    unreadCounts: createLoader<UnreadCount>(
      async () => [],
      ({ userId }) => userId,
    ),
  }
  const told = (): Notification => ({
    id: randomUUID(),
    userId: eve.userId,
    facts: { type: 'WELCOME' },
    orderId: null,
    deliveries: [],
    createdAt: new Date(),
    readAt: null,
  })
  const info = {} as GraphQLResolveInfo
  for (const notification of [told(), told()]) {
    const first = await title(notification, {}, context, info)
    for (const field of [body, title, body]) await field(notification, {}, context, info)
    assert.equal(await title(notification, {}, context, info), first)
  }
  assert.equal(made, 2)
})
