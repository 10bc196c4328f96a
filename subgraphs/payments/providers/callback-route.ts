import type { FastifyInstance } from 'fastify'
import { runWithContext } from '#platform/context.ts'
import { traceRequest } from '#platform/telemetry/http.ts'
import type { CallbackHeaders } from './provider.ts'

/** Bytes of a callback. */
const bodyLimit = 1024 * 1024

/**
 * `POST /webhooks/payments`, where the provider calls back. The body is taken as the bytes that came, since the signature is
 * over them.
 *
 * Guarantee: answered with 204 only after what it tells is committed; anything else makes the provider send it again.
 */
export function serveCallbacks(
  app: FastifyInstance,
  receive: (body: Buffer, headers: CallbackHeaders) => Promise<void>,
): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body))
    scope.addHook('preHandler', (request, reply, next) => runWithContext(traceRequest(request, reply), next))
    scope.post<{ Body: Buffer | undefined }>('/webhooks/payments', { bodyLimit }, async ({ body, headers }, reply) => {
      await receive(body ?? Buffer.alloc(0), headers)
      return reply.code(204).send()
    })
  })
}
