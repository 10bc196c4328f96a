import compress from '@fastify/compress'
import cors from '@fastify/cors'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { continueTrace, runWithContext } from '#platform/context.ts'
import { createDeparture, type Departure } from '#platform/departure.ts'
import { createHealth, type Dependency } from '#platform/health.ts'
import { createHttpServer, type HttpOptions } from '#platform/http.ts'
import type { Principal } from '#platform/principal.ts'
import { traceRequest } from '#platform/telemetry/http.ts'
import type { Authenticator } from './auth.ts'
import { refusalOf } from './errors.ts'
import type { GatewayContext } from './executor.ts'
import type { Forwarder } from './forward.ts'
import { allowedMethods, serveGraphql } from './http/graphql.ts'
import { forwardedHeaders, requestIdOf, securityHeaders } from './http/headers.ts'
import { serveExplorer } from './http/pages.ts'
import { serveWebhooks, type WebhookForwarder } from './http/webhooks.ts'
import type { createPipeline } from './pipeline.ts'
import type { RateLimiter, Verdict } from './rate-limit.ts'
import { clientGone } from './resilience.ts'
import type { SchemaReport } from './rollout.ts'
import { type ClientTraces, placeOfClient } from './trace.ts'

export type GatewayOptions = Omit<HttpOptions, 'health'> & {
  /** Answers the operations of a request. */
  answer: ReturnType<typeof createPipeline>
  authenticate: Authenticator
  /** Absent: subgraphs get no principal. */
  signPrincipal: ((principal: Principal) => Promise<string>) | undefined
  rateLimiter: RateLimiter
  /** Throws OVERLOADED for a request that comes while the process has too much to do. */
  shed: () => void
  /** The subgraphs of the schema that is served, whose health is the gateway's. */
  forwarders: () => readonly Forwarder[]
  /** Which schema is served, for `/health`. */
  schema: () => SchemaReport
  /** Passes on what payment providers call back with. Absent: there is no such path. */
  webhooks: WebhookForwarder | undefined
  /** What else the gateway depends on. */
  dependencies: readonly Dependency[]
  /** Pages to explore the graph: Apollo Sandbox at `/graphql`, and one that needs no network. */
  explorer: boolean
  /** Origins whose pages may call. */
  origins: readonly string[]
  /** Whether answers are compressed. */
  compression: boolean
  /** Headers of clients that subgraphs get. */
  forwardHeaders: readonly string[]
  /** What is believed of the trace that a client sends. */
  clientTraces: ClientTraces
  /** Operations in one request, at the most. Read at each request. */
  batchLimit: () => number
  /** Seconds for which browsers come by HTTPS alone. 0 for not at all. */
  hstsMaxAge: number
  /** Milliseconds until a request is answered with what there is. */
  requestTimeout: number
}

/** Milliseconds for which nothing may move on a connection at least, and beyond those that a request may take. */
const [shortestIdle, idleMargin] = [30_000, 5_000]
/** Bytes from which on compressing an answer is worth it. */
const worthCompressing = 1_024

/** The graph's front door: GraphQL at `/graphql`, and beside it the webhooks of the payment provider. */
export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const {
    answer,
    authenticate,
    signPrincipal,
    rateLimiter,
    shed,
    forwarders,
    schema,
    dependencies,
    explorer,
    origins,
    compression,
  } = options
  const { forwardHeaders, clientTraces, batchLimit, hstsMaxAge, requestTimeout, webhooks, ...http } = options

  const traceOf = (request: FastifyRequest, reply: FastifyReply) =>
    traceRequest(request, reply, placeOfClient(request.headers, clientTraces))

  async function newContext(
    principal: Principal,
    requestId: string,
    trace = continueTrace({}),
    more: Pick<GatewayContext, 'headers' | 'signal'> = {},
  ): Promise<GatewayContext> {
    const principalToken = await signPrincipal?.(principal)
    const context = { principal, requestId, ...trace, ...more, deadline: Date.now() + requestTimeout }
    return principalToken ? { ...context, principalToken } : context
  }
  const health = createHealth(() => [
    ...forwarders().map(({ name, check }) => ({
      name,
      check: async () => check(await newContext(nobody, 'health')),
      required: false,
    })),
    ...dependencies,
  ])
  await health.start()

  const report = () => ({ ...health.report(), schema: schema() })
  const idleTimeout = Math.max(shortestIdle, requestTimeout + idleMargin)
  const security = securityHeaders(hstsMaxAge)
  const headersOf = (request: FastifyRequest) => ({ ...security, 'x-request-id': requestIdOf(request) })
  const app = createHttpServer({ ...http, idleTimeout, headersOf, health: { ...health, report } })
  app.addHook('onClose', async () => health.stop())
  app.addHook('onRequest', (request, reply, done) => {
    // The rest of the answer is that of CORS, whatever the path.
    if (request.method === 'OPTIONS') reply.header('allow', allowedMethods)
    done()
  })
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'POST'],
    exposedHeaders: 'x-request-id, ratelimit, ratelimit-policy, retry-after',
    maxAge: 86_400,
    strictPreflight: false,
  })
  if (compression) {
    await app.register(compress, {
      threshold: worthCompressing,
      encodings: ['gzip', 'deflate'],
      globalDecompression: false,
    })
  }
  await serveGraphql(app, {
    async admit(request, reply) {
      shed()
      const trace = traceOf(request, reply)
      const { authorization } = request.headers
      const requestId = String(reply.getHeader('x-request-id'))
      const { ip: address } = request
      let principal: Principal
      try {
        principal = await runWithContext({ ...trace, requestId }, () => authenticate(authorization, address))
      } catch (error) {
        // Whoever tries tokens is counted as one who has none.
        pass(await rateLimiter.atDoor(undefined, address), reply)
        throw error
      }
      const door = await rateLimiter.atDoor(principal, address)
      pass(door, reply)
      const context = await newContext(principal, requestId, trace, {
        headers: forwardedHeaders(request, forwardHeaders),
        signal: signalOf(reply),
      })
      return {
        context,
        // However long the body took: the subgraphs have all the time there is.
        begin: () => ({ ...context, deadline: Date.now() + requestTimeout }),
        async charge(work) {
          const { headers, refusal } = await rateLimiter.forOperations(principal, address, work, door)
          if (refusal) throw refusalOf(refusal, undefined, headers)
          return headers
        },
      }
    },
    answer,
    batchLimit,
    sandbox: explorer,
  })
  if (webhooks) {
    const admit = async ({ ip }: FastifyRequest, reply: FastifyReply) => pass(await rateLimiter.forWebhook(ip), reply)
    await serveWebhooks(app, { forwarder: webhooks, admit, traceOf })
  }
  if (explorer) await serveExplorer(app)
  app.get('/', (_request, reply) => reply.redirect(explorer ? '/graphql' : '/health/live'))
  return app
}

/** Tells when the client is gone before it was answered. */
function signalOf({ raw }: FastifyReply): Departure {
  const { signal, leave } = createDeparture()
  raw.on('close', () => {
    if (!raw.writableFinished) leave(clientGone())
  })
  return signal
}

/** Tells the caller what is left. Throws RATE_LIMITED when it is too little. */
function pass({ headers, refusal }: Verdict, reply: FastifyReply): void {
  reply.headers(headers)
  if (refusal) throw refusal
}

const nobody: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }
