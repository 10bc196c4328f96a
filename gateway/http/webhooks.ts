import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Addresses, Policy } from '#platform/balancer.ts'
import type { Trace } from '#platform/context.ts'
import { ServiceError } from '#platform/errors.ts'
import { createFailover } from '#platform/failover.ts'
import { createHttpPool, httpFailure, isLate, takesLeave } from '#platform/http-pool.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'

export type WebhookForwarderOptions = {
  /** The subgraph that they are for. */
  name: string
  /** GraphQL URLs of its instances: webhooks go to the same places. */
  urls: Addresses
  /** How webhooks are shared among them. Default round-robin. */
  policy?: () => Policy
  /** Milliseconds that one may take. */
  timeout: number
  log: Log
}

const path = '/webhooks/payments'
/** Bytes of a webhook, and of what is answered. */
const bodyLimit = 1024 * 1024
const answerLimit = 64 * 1024
/** Webhooks under way at once. One more is refused, and comes again. */
const mostUnderWay = 200
/** Connections to one instance. */
const connections = 20
/** What of a webhook's headers goes along: what its body is, and who signed it. */
const passedOn = ['content-type', 'stripe-signature', 'sandbox-signature']

type Webhook = { body: Buffer; headers: Record<string, string> }

/**
 * Passes webhooks on, to one of the instances, and to another one when the first refused the connection. What they answer is
 * passed back as it is; one that failed in any other way comes again, from whoever sent it.
 */
export function createWebhookForwarder({ name, urls, policy, timeout, log }: WebhookForwarderOptions) {
  const failover = createFailover({
    addresses: urls,
    ...(policy && { policy }),
    open: (url) => createHttpPool(new URL(url).origin, { connections, answerLimit }),
    close: (pool) => pool.close(),
    failureOf: httpFailure,
    noInstance: () => unavailable(name),
  })
  let underWay = 0

  async function send({ body, headers }: Webhook): Promise<{ status: number; text: string }> {
    const end = Date.now() + timeout
    const timeLeft = () => end - Date.now()
    try {
      return await failover.call(
        async (pool, onLeave) => {
          const answer = await pool.exchange({ path, headers: Object.entries(headers).flat(), body, time: timeLeft() })
          if (takesLeave(answer.headers)) onLeave()
          return answer
        },
        { repeatable: false, timeLeft },
      )
    } catch (error) {
      log.warn('webhook not passed on', { subgraph: name, error })
      throw isLate(error) ? timedOut(name, error) : unavailable(name, error)
    }
  }

  return {
    async forward(webhook: Webhook): Promise<{ status: number; text: string }> {
      if (underWay >= mostUnderWay) {
        throw new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: name, retryAfter: 1 })
      }
      underWay += 1
      return send(webhook).finally(() => {
        underWay -= 1
      })
    },
    close: failover.close,
  }
}

export type WebhookForwarder = ReturnType<typeof createWebhookForwarder>

export type WebhookRouteOptions = {
  forwarder: WebhookForwarder
  /** Throws for a caller who sends too many. */
  admit: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The trace that it goes on in. */
  traceOf: (request: FastifyRequest, reply: FastifyReply) => Trace
}

/**
 * `POST /webhooks/payments`, where a payment provider calls back: passed on as the bytes that came, since their signature is
 * over them. Who is believed is for the service to say; here nothing is read.
 */
export async function serveWebhooks(
  app: FastifyInstance,
  { forwarder, admit, traceOf }: WebhookRouteOptions,
): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body))
    scope.post<{ Body: Buffer | undefined }>(path, { bodyLimit, onRequest: admit }, async (request, reply) => {
      const { status, text } = await forwarder.forward({
        body: request.body ?? Buffer.alloc(0),
        headers: {
          ...headersOf(request),
          ...traceOf(request, reply),
          'x-request-id': String(reply.getHeader('x-request-id')),
        },
      })
      reply.code(status)
      return text === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(text)
    })
  })
}

function headersOf({ headers }: FastifyRequest): Record<string, string> {
  const passed = passedOn.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return Object.fromEntries(passed)
}
