import { randomUUID } from 'node:crypto'
import { ApolloGateway } from '@apollo/gateway'
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default'
import { fastifyApolloHandler } from '@as-integrations/fastify'
import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GraphQLError, type GraphQLSchema } from 'graphql'
import { continueTrace, runWithContext } from '#platform/context.ts'
import { createHealth } from '#platform/health.ts'
import { createHttpServer, type HttpOptions } from '#platform/http.ts'
import type { Log } from '#platform/log.ts'
import type { Principal } from '#platform/principal.ts'
import type { Authenticator } from './auth.ts'
import type { createAuthorization, Executor } from './authorization.ts'
import { createErrorFormatter } from './errors.ts'
import { createForwarder, type FetchContext, type Forwarder } from './forward.ts'

/** What goes along with a request. */
type GatewayContext = FetchContext & { readonly principal: Principal }

export type GatewayOptions = Omit<HttpOptions, 'health'> & {
  supergraphSdl: string
  authenticate: Authenticator
  /** Absent: subgraphs get no principal. */
  signPrincipal: ((principal: Principal) => Promise<string>) | undefined
  /** Makes an executor that enforces the supergraph schema's access rules. */
  authorize: ReturnType<typeof createAuthorization>
  /** URLs of a subgraph's instances, where they are not the one in the supergraph schema. */
  urlsOf: (subgraph: string) => readonly string[] | undefined
  /** Apollo Sandbox at the GraphQL path, and introspection. */
  sandbox: boolean
  /** Origins whose pages may call. */
  origins: readonly string[]
  /** Milliseconds. */
  requestTimeout: number
  subgraphTimeout: number
  log: Log
}

/** The graph's front door: GraphQL at `/graphql`. */
export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const {
    supergraphSdl,
    authenticate,
    signPrincipal,
    authorize,
    urlsOf,
    sandbox,
    origins,
    requestTimeout,
    subgraphTimeout,
    log,
    ...http
  } = options
  const forwarders: Forwarder[] = []
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService({ name, url = '' }) {
      const forwarder = createForwarder({ name, urls: urlsOf(name) ?? [url], timeout: subgraphTimeout, log })
      forwarders.push(forwarder)
      return forwarder.dataSource
    },
  })
  const apollo = new ApolloServer<GatewayContext>({
    gateway: withAuthorization(gateway, (schema, execute) => authorize(supergraphSdl, schema, execute)),
    introspection: sandbox,
    includeStacktraceInErrorResponses: false,
    formatError: createErrorFormatter({ log }),
    stopOnTerminationSignals: false,
    plugins: plugins(sandbox),
  })
  await apollo.start()

  async function newContext(
    principal: Principal,
    requestId: string,
    trace = continueTrace({}),
  ): Promise<GatewayContext> {
    const principalToken = await signPrincipal?.(principal)
    return {
      principal,
      requestId,
      ...trace,
      deadline: Date.now() + requestTimeout,
      ...(principalToken && { principalToken }),
    }
  }
  const health = createHealth(
    forwarders.map(({ name, check }) => ({
      name,
      check: async () => check(await newContext(nobody, 'health')),
      required: false,
    })),
  )
  await health.start()

  const app = createHttpServer({ ...http, health })
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'POST'],
    exposedHeaders: ['x-request-id'],
    maxAge: 86_400,
  })
  const contexts = new WeakMap<FastifyRequest, GatewayContext>()
  const contextOf = (request: FastifyRequest): GatewayContext => {
    const context = contexts.get(request)
    if (!context) throw new Error('The request was not authenticated.')
    return context
  }
  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    async onRequest(request, reply) {
      const { authorization, traceparent, tracestate } = request.headers
      const trace = continueTrace({ traceparent, tracestate })
      const requestId = requestIdOf(request)
      reply.header('x-request-id', requestId)
      const principal = await runWithContext({ ...trace, requestId }, () => authenticate(authorization, request.ip))
      contexts.set(request, await newContext(principal, requestId, trace))
    },
    // After the body is read, since reading it loses the context.
    preHandler: (request, _reply, next) => runWithContext(contextOf(request), next),
    handler: fastifyApolloHandler(apollo, { context: async (request) => contextOf(request) }),
  })
  app.get('/', (_request, reply) => reply.redirect('/graphql'))
  app.addHook('onClose', async () => {
    health.stop()
    await apollo.stop()
    await Promise.all(forwarders.map(({ close }) => close()))
  })
  return app
}

/** The gateway with an executor that enforces the access rules of its supergraph schema. */
export function withAuthorization(
  gateway: ApolloGateway,
  authorize: (schema: GraphQLSchema, execute: Executor) => Executor,
): Pick<ApolloGateway, 'load' | 'stop' | 'onSchemaLoadOrUpdate'> {
  return {
    onSchemaLoadOrUpdate: (callback) => gateway.onSchemaLoadOrUpdate(callback),
    stop: () => gateway.stop(),
    async load(options) {
      const { schema, executor } = await gateway.load(options)
      return { schema, executor: authorize(schema, executor) }
    },
  }
}

const nobody: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }

function plugins(sandbox: boolean): ApolloServerPlugin[] {
  return [
    sandbox ? ApolloServerPluginLandingPageLocalDefault({ footer: false }) : ApolloServerPluginLandingPageDisabled(),
    ApolloServerPluginUsageReportingDisabled(),
    ApolloServerPluginInlineTraceDisabled(),
    ApolloServerPluginCacheControlDisabled(),
    { requestDidStart: async () => ({ didResolveOperation: requireOperation }) },
  ]
}

/** Apollo's gateway would fail here without a code. */
async function requireOperation({ operation }: { operation?: unknown }): Promise<void> {
  if (operation) return
  throw new GraphQLError('The document holds no such operation, or several and no operationName.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE', http: { status: 400 } },
  })
}

/** The client's request id, where it is one that can stand in a log; else a new one. */
function requestIdOf({ headers }: FastifyRequest): string {
  const id = headers['x-request-id']
  return typeof id === 'string' && /^[\w.-]{1,128}$/.test(id) ? id : randomUUID()
}
