import compress from '@fastify/compress'
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { continueTrace, runWithContext } from '#platform/context.ts'
import { createHealth, type Dependency } from '#platform/health.ts'
import { createHttpServer, type HttpOptions } from '#platform/http.ts'
import type { Principal } from '#platform/principal.ts'
import type { Authenticator } from './auth.ts'
import type { GatewayContext } from './executor.ts'
import type { Forwarder } from './forward.ts'
import { serveGraphql } from './http/graphql.ts'
import { forwardedHeaders, requestIdOf, securityHeaders } from './http/headers.ts'
import { serveExplorer } from './http/pages.ts'
import type { createPipeline } from './pipeline.ts'

export type GatewayOptions = Omit<HttpOptions, 'health'> & {
  /** Answers the operations of a request. */
  answer: ReturnType<typeof createPipeline>
  authenticate: Authenticator
  /** Absent: subgraphs get no principal. */
  signPrincipal: ((principal: Principal) => Promise<string>) | undefined
  /** The subgraphs, whose health is the gateway's. */
  forwarders: readonly Forwarder[]
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
  /** Operations in one request, at the most. */
  batchLimit: number
  /** Seconds for which browsers come by HTTPS alone. 0 for not at all. */
  hstsMaxAge: number
  /** Milliseconds until a request is answered with what there is. */
  requestTimeout: number
}

/** Bytes from which on compressing an answer is worth it. */
const worthCompressing = 1_024

/** The graph's front door: GraphQL at `/graphql`. */
export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const { answer, authenticate, signPrincipal, forwarders, dependencies, explorer, origins, compression } = options
  const { forwardHeaders, batchLimit, hstsMaxAge, requestTimeout, ...http } = options

  async function newContext(
    principal: Principal,
    requestId: string,
    trace = continueTrace({}),
    headers: Record<string, string> = {},
  ): Promise<GatewayContext> {
    const principalToken = await signPrincipal?.(principal)
    return {
      principal,
      requestId,
      ...trace,
      headers,
      deadline: Date.now() + requestTimeout,
      ...(principalToken && { principalToken }),
    }
  }
  const health = createHealth([
    ...forwarders.map(({ name, check }) => ({
      name,
      check: async () => check(await newContext(nobody, 'health')),
      required: false,
    })),
    ...dependencies,
  ])
  await health.start()

  const app = createHttpServer({ ...http, health })
  app.addHook('onClose', async () => health.stop())
  const security = securityHeaders(hstsMaxAge)
  app.addHook('onRequest', async (_request, reply) => void reply.headers(security))
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'POST'],
    exposedHeaders: ['x-request-id', 'ratelimit', 'ratelimit-policy', 'retry-after'],
    maxAge: 86_400,
    strictPreflight: false,
    preflightContinue: true,
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
      const { authorization, traceparent, tracestate } = request.headers
      const trace = continueTrace({ traceparent, tracestate })
      const requestId = requestIdOf(request)
      reply.header('x-request-id', requestId)
      const principal = await runWithContext({ ...trace, requestId }, () => authenticate(authorization, request.ip))
      return newContext(principal, requestId, trace, forwardedHeaders(request, forwardHeaders))
    },
    answer,
    batchLimit,
    sandbox: explorer,
  })
  if (explorer) await serveExplorer(app)
  app.get('/', (_request, reply) => reply.redirect(explorer ? '/graphql' : '/health/live'))
  return app
}

const nobody: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }
