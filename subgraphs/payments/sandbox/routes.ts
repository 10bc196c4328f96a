import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Callback, Charge, Ledger } from './ledger.ts'
import { behaviourOf } from './methods.ts'
import { authenticationPage, pagePolicy } from './pages.ts'

export type SandboxRoutesOptions = {
  ledger: Ledger
  /** What the shop proves itself with. */
  secret: string
  /** Where payers and the shop reach the sandbox. */
  url: string
  /** Told when there may be a charge to settle or a callback to send. */
  onWork: () => void
  /** Sends callbacks. */
  send: (callbacks: readonly Callback[]) => void
}

/** Milliseconds after which a request that is never answered ends. */
const silence = 30_000

const amount = z.int().nonnegative()
const chargeRequest = z.object({ id: z.uuid(), amount, currency: z.string().length(3), method: z.string() })
const chargeQuery = z.object({ id: z.uuid() })
const refundRequest = z.object({ id: z.uuid(), amount: amount.positive() })

type ByReference = { Params: { reference: string } }

/** The sandbox's side of the wire: an API for the shop that has the secret, and pages for payers. */
export function serveSandbox(app: FastifyInstance, { ledger, secret, url, onWork, send }: SandboxRoutesOptions): void {
  async function requireSecret({ headers }: FastifyRequest, reply: FastifyReply) {
    if (isSame(headers.authorization ?? '', `Bearer ${secret}`)) return
    return reply.code(401).send({ error: 'unauthorized' })
  }

  const shown = (charge: Charge) => ({
    ...charge,
    next_action: charge.status === 'requires_action' ? `${url}/authenticate/${charge.reference}` : null,
  })

  async function end(reference: string, status: 'captured' | 'declined', reason: string | null) {
    const ended = await ledger.end(reference, status, reason)
    if (ended) onWork()
    return ended ?? (await ledger.find(reference))
  }

  app.register(
    async (scope) => {
      scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_request, _body, done) =>
        done(null, null),
      )

      scope.register(async (api) => {
        api.addHook('onRequest', requireSecret)
        api.post('/charges', async (request, reply) => {
          const parsed = chargeRequest.safeParse(request.body)
          if (!parsed.success) return reply.code(400).send({ error: 'invalid_request' })
          const behaviour = behaviourOf(parsed.data.method)
          if (!behaviour) return reply.code(402).send({ error: 'resource_missing' })
          const { charge, callbacks } = await ledger.add({ ...parsed.data, reference: newReference('ch') }, behaviour)
          if (!callbacks) return shown(charge)
          if (charge.status === 'processing') onWork()
          if (behaviour.silent) {
            send(callbacks)
            return neverAnswer(request, reply)
          }
          // What became of it is told a moment after the answer.
          reply.raw.once('close', () => send(callbacks))
          return shown(charge.status === 'captured' ? { ...charge, status: 'processing' } : charge)
        })
        api.get('/charges', async ({ query }, reply) => {
          const parsed = chargeQuery.safeParse(query)
          if (!parsed.success) return reply.code(400).send({ error: 'invalid_request' })
          const charge = await ledger.findById(parsed.data.id)
          return { data: charge ? [shown(charge)] : [] }
        })
        api.get<ByReference>('/charges/:reference', async ({ params }, reply) => {
          const charge = await ledger.find(params.reference)
          return charge ? shown(charge) : reply.code(404).send({ error: 'resource_missing' })
        })
        api.post<ByReference>('/charges/:reference/cancel', async ({ params }, reply) => {
          const charge = await end(params.reference, 'declined', 'canceled')
          return charge ? shown(charge) : reply.code(404).send({ error: 'resource_missing' })
        })
        api.post<ByReference>('/charges/:reference/refunds', async ({ params, body }, reply) => {
          const charge = await ledger.find(params.reference)
          const parsed = refundRequest.safeParse(body)
          if (!charge || !parsed.success) return reply.code(400).send({ error: 'invalid_request' })
          const { refunds = '' } = behaviourOf(charge.method) ?? {}
          const later = refunds === 'succeeded later' ? 'succeeded' : refunds === 'failed later' ? 'failed' : undefined
          const refund = await ledger.refund(charge, { ...parsed.data, reference: newReference('re') }, later)
          onWork()
          return refund ?? reply.code(402).send({ error: 'amount_too_large' })
        })
      })

      const page = (charge: Charge | undefined, reply: FastifyReply) =>
        charge
          ? reply
              .type('text/html; charset=utf-8')
              .header('content-security-policy', pagePolicy)
              .send(authenticationPage(charge))
          : reply.code(404).type('text/plain').send('There is no such payment.\n')
      scope.get<ByReference>('/authenticate/:reference', async ({ params }, reply) =>
        page(await ledger.find(params.reference), reply),
      )
      scope.post<ByReference>('/authenticate/:reference/confirm', async ({ params }, reply) =>
        page(await end(params.reference, 'captured', null), reply),
      )
      scope.post<ByReference>('/authenticate/:reference/fail', async ({ params }, reply) =>
        page(await end(params.reference, 'declined', 'authentication_failed'), reply),
      )
    },
    { prefix: '/sandbox' },
  )
}

function neverAnswer({ raw }: FastifyRequest, reply: FastifyReply): FastifyReply {
  setTimeout(() => raw.destroy(), silence).unref()
  return reply.hijack()
}

function newReference(prefix: string): string {
  return `${prefix}_${randomBytes(18).toString('base64url')}`
}

/** In a time that tells nothing of where they differ. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}
