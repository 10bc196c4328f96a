import { z } from 'zod'
import { ServiceError } from '#platform/errors.ts'
import { createHttpClient, HttpRefusal } from '#platform/http-client.ts'
import type { PaymentFact } from '../domain/payment.ts'
import type { RefundFact } from '../domain/refund.ts'
import { isSigned, signatureHeader } from '../sandbox/signature.ts'
import type { Provider } from './provider.ts'

export type SandboxProviderOptions = {
  /** Where the sandbox is. */
  url: string
  secret: string
  now: () => Date
  /** Milliseconds that a call may take, unless the caller's own deadline is nearer. Default 3000. */
  timeout?: number
}

/** Seconds that a callback may be old. */
const tolerance = 300

const charge = z.object({
  id: z.uuid(),
  reference: z.string(),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['processing', 'requires_action', 'captured', 'declined']),
  reason: z.string().nullable(),
  next_action: z.url().nullish(),
})
const charges = z.object({ data: z.array(charge) })
const refund = z.object({
  id: z.uuid(),
  charge_id: z.uuid(),
  reference: z.string(),
  status: z.enum(['pending', 'succeeded', 'failed']),
})
const refusal = z.object({ error: z.string() })
const callback = z.object({ id: z.string(), charge: charge.optional(), refund: refund.optional() })

/** The sandbox, over HTTP. */
export function createSandboxProvider({ url, secret, now, timeout = 3_000 }: SandboxProviderOptions): Provider {
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
  const client = createHttpClient({ name: 'payment provider', url, headers, timeout })
  // Everything is: what is asked for twice under one id is done once.
  const idempotent = true

  return {
    async pay({ id, amount, method }) {
      const body = JSON.stringify({ id, ...amount, method })
      try {
        return toPaymentFact(await client.ask({ method: 'POST', path: '/charges', body, answer: charge, idempotent }))
      } catch (error) {
        const reason = reasonOf(error)
        if (reason === undefined) throw error
        return { paymentId: id, reference: '', state: 'declined', reason }
      }
    },
    async find({ id }) {
      const { data } = await client.ask({ method: 'GET', path: `/charges?id=${id}`, answer: charges, idempotent })
      return data[0]?.reference
    },
    async lookUp({ reference }) {
      const path = `/charges/${encodeURIComponent(reference)}`
      return toPaymentFact(await client.ask({ method: 'GET', path, answer: charge, idempotent }))
    },
    async cancel({ reference }) {
      const path = `/charges/${encodeURIComponent(reference)}/cancel`
      return toPaymentFact(await client.ask({ method: 'POST', path, body: '{}', answer: charge, idempotent }))
    },
    async refund({ id: paymentId, reference }, { id, amount }) {
      const path = `/charges/${encodeURIComponent(reference)}/refunds`
      const body = JSON.stringify({ id, amount })
      try {
        return toRefundFact(await client.ask({ method: 'POST', path, body, answer: refund, idempotent }))
      } catch (error) {
        const reason = reasonOf(error)
        if (reason === undefined) throw error
        return { refundId: id, paymentId, reference: '', state: 'failed', reason }
      }
    },
    readCallback(body, { [signatureHeader]: signature }) {
      const seconds = Math.floor(now().getTime() / 1000)
      if (!isSigned(secret, body, signature, { seconds, tolerance })) {
        throw new ServiceError('UNAUTHENTICATED', 'The signature of the callback is not valid.')
      }
      const { id, charge, refund } = callback.parse(JSON.parse(body.toString()))
      if (charge) return { id, fact: { about: 'payment', ...toPaymentFact(charge) } }
      return { id, fact: refund && { about: 'refund', ...toRefundFact(refund) } }
    },
    close: client.close,
  }
}

/** Why the sandbox refused. Undefined when that is not known: nothing is known then of what was done. */
function reasonOf(error: unknown): string | undefined {
  // 401 is no refusal of this payment, but of this shop.
  if (!(error instanceof HttpRefusal) || error.status !== 402) return undefined
  return refusal.safeParse(JSON.parse(error.body)).data?.error ?? 'refused'
}

function toPaymentFact({ id: paymentId, reference, status, ...rest }: z.output<typeof charge>): PaymentFact {
  const { amount, currency, reason, next_action: url } = rest
  switch (status) {
    case 'processing':
    case 'requires_action':
      return { paymentId, reference, state: 'pending', nextAction: url ? { type: 'REDIRECT', url } : null }
    case 'captured':
      return { paymentId, reference, state: 'captured', amount: { amount, currency } }
    case 'declined':
      return { paymentId, reference, state: 'declined', reason: reason ?? 'declined' }
  }
}

function toRefundFact({ id: refundId, charge_id: paymentId, reference, status }: z.output<typeof refund>): RefundFact {
  return { refundId, paymentId, reference, state: status, ...(status === 'failed' && { reason: 'refund_failed' }) }
}
