import { createHttpClient, HttpRefusal } from '#platform/http-client.ts'
import type { Channel, SmsTarget } from '../domain/channel.ts'
import { signatureHeaders } from './webhook-signature.ts'

export type SmsWebhookOptions = {
  /** Where messages are posted. */
  url: string
  /** `whsec_` and the key in base64. */
  secret: string
  now: () => Date
  /** Milliseconds that a call may take, unless the caller's own deadline is nearer. Default 10000. */
  timeout?: number
}

/** Statuses that speak of this message and this number for good. All others speak of us, or of now. */
const refusals = new Set([400, 404, 410, 422])

/**
 * SMS by a gateway that takes `{ id, to, text }`, signed as Standard Webhooks says. A repeat has the same Idempotency-Key
 * and `webhook-id`, so that the gateway can tell.
 */
export function createSmsWebhook({ url, secret, now, timeout = 10_000 }: SmsWebhookOptions): Channel<SmsTarget> {
  const { origin, pathname, search } = new URL(url)
  const client = createHttpClient({
    name: 'SMS gateway',
    url: origin,
    timeout,
    answerLimit: 64 * 1024,
    connections: 10,
  })

  return {
    async send({ id, short }, { phone }, signal) {
      const body = JSON.stringify({ id, to: phone, text: short })
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': id,
        ...signatureHeaders(secret, { id, at: now(), body }),
      }
      try {
        // Made once: the delivery is what is repeated, later.
        await client.tell({
          method: 'POST',
          path: `${pathname}${search}`,
          headers,
          body,
          idempotent: false,
          signal,
        })
        return { sent: true }
      } catch (error) {
        if (error instanceof HttpRefusal && refusals.has(error.status)) {
          return { sent: false, reason: `http ${error.status}` }
        }
        throw error
      }
    },
    close: client.close,
  }
}
