import { ECDH } from 'node:crypto'
import type { PushTarget } from './channel.ts'

/** Characters of an endpoint, at the most. */
const longestEndpoint = 2_000

/**
 * What is wrong with the URL of a push subscription, in words for whoever sent it; undefined when nothing is. A client
 * chooses it and we call it, so it must be what a push service has: `https:`, a name and no address, the default port, and
 * no user. That the name leads to no address of ours is seen when we connect, and not before, since names change.
 *
 * `local` is for push services on this machine: any port, and addresses too.
 */
export function pushEndpointFault(endpoint: string, { local = false } = {}): string | undefined {
  if (endpoint.length > longestEndpoint) return `An endpoint has at most ${longestEndpoint} characters.`
  // What browsers give is ASCII. A parser drops some of the rest, and what is kept would not be what is called.
  if (/[^!-~]|\\/.test(endpoint) || !URL.canParse(endpoint)) return 'An endpoint is an https:// URL.'
  const { protocol, username, password, hostname, port } = new URL(endpoint)
  if (protocol !== 'https:') return 'An endpoint is an https:// URL.'
  if (username || password) return 'An endpoint names no user.'
  if (local) return undefined
  if (port) return 'An endpoint is on the default port.'
  // Any way to write an IPv4 address, as one number or in hexadecimal, is dotted by now.
  if (/^[\d.]+$|^\[/.test(hostname)) return 'An endpoint is on a host that has a name.'
  return undefined
}

/** Whether these are the keys of a push subscription: a point of the curve P-256 and 16 bytes, both in base64url. */
export function arePushKeys({ p256dh, auth }: { p256dh: string; auth: string }): boolean {
  if (!/^[\w-]{87}$/.test(p256dh) || !/^[\w-]{22}$/.test(auth)) return false
  try {
    return ECDH.convertKey(p256dh, 'prime256v1', 'base64url', 'base64url', 'uncompressed') === p256dh
  } catch {
    return false
  }
}

/** Why nothing is sent to a subscription, as a short code. Undefined when nothing is wrong with it. */
export function pushTargetFault(target: PushTarget, options: { local: boolean }): string | undefined {
  if (pushEndpointFault(target.endpoint, options)) return 'push endpoint'
  return arePushKeys(target) ? undefined : 'push keys'
}
