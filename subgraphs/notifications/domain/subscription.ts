import { ECDH } from 'node:crypto'
import { badInput } from '#platform/errors.ts'
import type { PushTarget } from './channel.ts'
import { isPushEndpoint } from './push-endpoint.ts'

/** A browser that takes pushes (RFC 8030), and whose account it is. */
export type PushSubscription = PushTarget & { readonly id: string; readonly userId: string; readonly createdAt: Date }

/** Subscriptions of one person: a new one beyond that takes the place of the oldest. */
export const mostSubscriptions = 20

/** What a browser's `PushSubscription.toJSON()` gives. */
type SubscriptionInput = { endpoint: string; keys: { p256dh: string; auth: string } }

/** Reads a subscription. Throws BAD_USER_INPUT for an endpoint that no push service has, and for keys that encrypt nothing. */
export function parseSubscription({ endpoint, keys: { p256dh, auth } }: SubscriptionInput): PushTarget {
  if (!isPushEndpoint(endpoint)) throw badInput('endpoint', 'This is not the URL of a push service.')
  if (!isPublicKey(p256dh)) throw badInput('keys.p256dh', 'This is not a P-256 public key in base64url.')
  if (decode(auth)?.length !== 16) throw badInput('keys.auth', 'This is not 16 bytes in base64url.')
  return { endpoint, p256dh, auth }
}

/** An uncompressed point of the curve. */
function isPublicKey(text: string): boolean {
  const bytes = decode(text)
  if (bytes?.length !== 65 || bytes[0] !== 4) return false
  try {
    ECDH.convertKey(bytes, 'prime256v1')
    return true
  } catch {
    return false
  }
}

const base64url = /^[\w-]{1,200}={0,2}$/

function decode(text: string): Buffer | undefined {
  return base64url.test(text) ? Buffer.from(text, 'base64url') : undefined
}
