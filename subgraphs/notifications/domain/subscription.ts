import { badInput } from '#platform/errors.ts'
import type { PushTarget } from './channel.ts'
import { arePushKeys, pushEndpointFault } from './push-endpoint.ts'

/** A browser that takes pushes (RFC 8030), and whose account it is. */
export type PushSubscription = PushTarget & { readonly id: string; readonly userId: string; readonly createdAt: Date }

/** Subscriptions of one person: a new one beyond that takes the place of the oldest. */
export const mostSubscriptions = 20

/** What a browser's `PushSubscription.toJSON()` gives. */
type SubscriptionInput = { endpoint: string; keys: { p256dh: string; auth: string } }

/**
 * Reads a subscription. Throws BAD_USER_INPUT for an endpoint that no push service has, and for keys that encrypt nothing.
 * `local`: push services on this machine are taken too.
 */
export function parseSubscription({ endpoint, keys }: SubscriptionInput, options: { local: boolean }): PushTarget {
  const fault = pushEndpointFault(endpoint, options)
  if (fault) throw badInput('endpoint', fault)
  if (!arePushKeys(keys)) throw badInput('keys', 'These are not the keys of a push subscription.')
  return { endpoint, p256dh: keys.p256dh, auth: keys.auth }
}
