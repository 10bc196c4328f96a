import { badInput } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import type { Delivery } from './delivery.ts'
import type { Facts } from './message.ts'

export type Notification = {
  readonly id: string
  readonly userId: string
  readonly facts: Facts
  readonly orderId: string | null
  readonly deliveries: readonly Delivery[]
  readonly createdAt: Date
  readonly readAt: Date | null
}

/** How much a person was told that is not marked as read. */
export type UnreadCount = { readonly userId: string; readonly unread: number }

/** Notifications, preferences and subscriptions are their owner's alone, whatever the scopes of others. */
export function isOwner(viewer: { sub: string | null }, userId: string): boolean {
  return viewer.sub === userId
}

/** Notifications that one request marks as read. */
const mostAtOnce = 100

/** Reads ids, each once. An id that no notification can have is undefined. Throws BAD_USER_INPUT for none and for too many. */
export function parseIds(ids: readonly string[]): (string | undefined)[] {
  if (ids.length < 1 || ids.length > mostAtOnce) throw badInput('ids', `This has 1 to ${mostAtOnce} ids.`)
  return [...new Set(ids.map(parseId))]
}
