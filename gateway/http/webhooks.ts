import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors, Pool } from 'undici'
import { continueTrace } from '#platform/context.ts'
import { ServiceError } from '#platform/errors.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'

export type WebhookForwarderOptions = {
  /** The subgraph that they are for. */
  name: string
  /** GraphQL URLs of its instances: webhooks go to the same places. */
  urls: readonly string[]
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

/** Passes webhooks on, to the instances in turn. What they answer is passed back as it is. */
export function createWebhookForwarder({ name, urls, timeout, log }: WebhookForwarderOptions) {
  const pools = urls.map((url) => new Pool(new URL(url).origin, { connections, maxResponseSize: answerLimit }))
  let turn = 0
  let underWay = 0

  async function send({ body, headers }: Webhook): Promise<{ status: number; text: string }> {
    const pool = pools[turn++ % pools.length]
    if (!pool) throw unavailable(name)
    const late = AbortSignal.timeout(timeout)
    try {
      const answer = await pool.request({ method: 'POST', path, headers, body, signal: late })
      return { status: answer.statusCode, text: await answer.body.text() }
    } catch (error) {
      log.warn('webhook not passed on', { subgraph: name, error })
      throw late.aborted || error instanceof errors.ConnectTimeoutError
        ? timedOut(name, error)
        : unavailable(name, error)
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
    close: () => Promise.all(pools.map((pool) => pool.close())),
  }
}

export type WebhookForwarder = ReturnType<typeof createWebhookForwarder>

export type WebhookRouteOptions = {
  forwarder: WebhookForwarder
  /** Throws for a caller who sends too many. */
  admit: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}

/**
 * `POST /webhooks/payments`, where a payment provider calls back: passed on as the bytes that came, since their signature is
 * over them. Who is believed is for the service to say; here nothing is read.
 */
export async function serveWebhooks(app: FastifyInstance, { forwarder, admit }: WebhookRouteOptions): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body))
    scope.post<{ Body: Buffer | undefined }>(path, { bodyLimit, onRequest: admit }, async (request, reply) => {
      const { status, text } = await forwarder.forward({
        body: request.body ?? Buffer.alloc(0),
        headers: headersOf(request, String(reply.getHeader('x-request-id'))),
      })
      reply.code(status)
      return text === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(text)
    })
  })
}

function headersOf({ headers }: FastifyRequest, requestId: string): Record<string, string> {
  const { traceparent, tracestate } = headers
  const passed = passedOn.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return { ...Object.fromEntries(passed), ...continueTrace({ traceparent, tracestate }), 'x-request-id': requestId }
}
