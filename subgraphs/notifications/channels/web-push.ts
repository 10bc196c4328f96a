import { createECDH, createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import webPush from 'web-push'
import { createHttpClient, type HttpClient, HttpRefusal } from '#platform/http-client.ts'
import type { Channel, Outcome, PushTarget } from '../domain/channel.ts'
import { createPublicLookup } from './public-addresses.ts'
import { pushPayload } from './push-payload.ts'

export type WebPushOptions = {
  /** The domain's rule (`pushTargetFault`): why nothing is sent to a subscription. */
  faultOf: (target: PushTarget, options: { local: boolean }) => string | undefined
  /** VAPID: who we are to push services, and an `https:` or `mailto:` URL where we are reached. */
  vapid: { publicKey: string; privateKey: string; subject: string }
  /** Lets a subscription lead to this machine and its network: for tests and development. Default false. */
  allowPrivate?: boolean
  /** PEM of the authorities that push services are believed for. Default: those that Node knows. */
  ca?: string
  /** Milliseconds that a call may take, unless the caller's own deadline is nearer. Default 10000. */
  timeout?: number
}

/** Seconds that a push service keeps a message for a browser that is away: as long as we try ourselves. */
const timeToLive = 86_400
/** Push services that connections are kept to. Clients choose them, so there could be any number. */
const mostServices = 50

/**
 * Push messages to browsers (RFC 8030, 8188, 8291, 8292). A repeat has the same Topic, so that it takes the place of the
 * first where that still waits.
 *
 * Guarantee: a subscription, which a client makes up, leads to nothing but HTTPS on the public internet. Its shape is seen
 * before, its addresses as they are connected to, redirects are not followed, and what is answered is told to nobody. A name that leads to a
 * forbidden address fails like one that leads nowhere: a delivery's status tells nobody which names there are inside.
 *
 * Throws Error for keys that are no pair.
 */
export function createWebPush(options: WebPushOptions): Channel<PushTarget> {
  const { faultOf, vapid, allowPrivate = false, ca, timeout = 10_000 } = options
  requirePair(vapid)
  const limits = { timeout, answerLimit: 16 * 1024, connections: 10 }
  const guard = allowPrivate ? {} : { lookup: createPublicLookup() }
  const services = new LRUCache<string, HttpClient>({
    max: mostServices,
    // Finishes the calls that it makes.
    dispose: (client) => void client.close(),
    memoMethod: (url) => createHttpClient({ name: 'push service', url, ...limits, ...guard, ...(ca && { ca }) }),
  })

  return {
    async send(message, target, signal) {
      const fault = faultOf(target, { local: allowPrivate })
      if (fault) return refused(fault)
      signal.throwIfAborted()
      const { endpoint, p256dh, auth } = target
      const { href, origin, pathname, search } = new URL(endpoint)
      const { headers, body } = webPush.generateRequestDetails(
        { endpoint: href, keys: { p256dh, auth } },
        pushPayload(message),
        { vapidDetails: vapid, TTL: timeToLive, topic: topicOf(message.id), contentEncoding: 'aes128gcm' },
      )
      try {
        await services.memo(origin).tell({
          method: 'POST',
          path: `${pathname}${search}`,
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
          body,
          // Made once: the delivery is what is repeated, later.
          idempotent: false,
          signal,
        })
        return { sent: true }
      } catch (error) {
        const outcome = refusalIn(error)
        if (!outcome) throw error
        return outcome
      }
    },
    async close() {
      const clients = [...services.values()]
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}

/** What is final of what a push service answers: 404 and 410 say that the subscription is no more. */
function refusalIn(error: unknown): Outcome | undefined {
  if (!(error instanceof HttpRefusal)) return undefined
  const { status } = error
  if (status === 404 || status === 410) return { ...refused(`http ${status}`), gone: true }
  // 401 and 403 are no refusal of this message, but of our keys.
  return status < 400 || status === 400 || status === 413 ? refused(`http ${status}`) : undefined
}

function refused(reason: string) {
  return { sent: false, reason } as const
}

/** At most 32 characters of URL-safe base64, the same for a repeat. */
function topicOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 32)
}

function requirePair({ publicKey, privateKey }: WebPushOptions['vapid']): void {
  const pair = createECDH('prime256v1')
  pair.setPrivateKey(privateKey, 'base64url')
  if (pair.getPublicKey('base64url') !== publicKey) {
    throw new Error('VAPID_PUBLIC_KEY is not the public half of VAPID_PRIVATE_KEY.')
  }
}
