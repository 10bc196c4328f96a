import { readFile } from 'node:fs/promises'
import { ApolloServer } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { buildSubgraphSchema, type GraphQLSchemaModule } from '@apollo/subgraph'
import { fastifyApolloHandler } from '@as-integrations/fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GraphQLError, type GraphQLFormattedError, parse } from 'graphql'
import { DateTimeResolver } from 'graphql-scalars'
import { type RequestContext, runWithContext, type Trace } from './context.ts'
import { isErrorCode } from './errors.ts'
import { createHttpServer, graphqlError, type HttpOptions } from './http.ts'
import type { Mask } from './mask.ts'
import type { Principal } from './principal.ts'
import { createKnownOperations } from './subgraph/known-operations.ts'
import { traceRequest } from './telemetry/http.ts'

/** Resolvers of any subgraph. A service's own are checked against its schema where they are made. */
type Resolvers = NonNullable<GraphQLSchemaModule['resolvers']>

export type SubgraphOptions<Context extends object> = Omit<HttpOptions, 'bodyLimit'> & {
  /** The file of the subgraph's schema. */
  schemaFile: URL
  resolvers: object
  /** What resolvers get, made for each request. */
  createContext: (principal: Principal) => Context
  /** Throws UNAUTHENTICATED for a token that is not the gateway's. */
  verifyPrincipal: (token: string | undefined) => Promise<Principal>
}

/** What the gateway accepts, and what it gets. */
const contentType = 'application/json'
const answerType = 'application/json; charset=utf-8'
/** Bytes of an operation with its variables: a list of 10,000 entity references. */
const bodyLimit = 4 * 1024 * 1024

/**
 * A subgraph: GraphQL at `/graphql` for the gateway alone. A call without the gateway's signed principal gets 401 before
 * its body is read.
 */
export async function createSubgraph<Context extends object>(
  options: SubgraphOptions<Context>,
): Promise<FastifyInstance> {
  const { schemaFile, resolvers, createContext, verifyPrincipal, mask, ...http } = options
  const typeDefs = parse(await readFile(schemaFile, 'utf8'))
  const schema = buildSubgraphSchema([
    { typeDefs, resolvers: { DateTime: DateTimeResolver, ...(resolvers as Resolvers) } },
  ])
  const format = (formatted: GraphQLFormattedError, error: unknown) => discloseError(formatted, error, mask)
  const knownOperations = createKnownOperations({ schema, format })
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: false,
    csrfPrevention: false,
    includeStacktraceInErrorResponses: false,
    formatError: format,
    stopOnTerminationSignals: false,
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      knownOperations.plugin,
    ],
  })
  await apollo.start()

  const app = createHttpServer({ ...http, mask, bodyLimit })
  const principals = new WeakMap<FastifyRequest, Principal>()
  const principalOf = (request: FastifyRequest): Principal => {
    const principal = principals.get(request)
    if (!principal) throw new Error('The principal was not verified.')
    return principal
  }
  const contextFor = (request: FastifyRequest) => createContext(principalOf(request))
  const answerUnknown = fastifyApolloHandler(apollo, { context: async (request) => contextFor(request) })
  app.post('/graphql', {
    async onRequest(request) {
      principals.set(request, await verifyPrincipal(header(request, 'x-principal')))
    },
    // After the body is read, since reading it loses the context.
    preHandler: (request, reply, next) => runWithContext(contextOf(request, traceRequest(request, reply)), next),
    async handler(request, reply) {
      const { accept = contentType } = request.headers
      const known = accept === contentType && (await knownOperations.answer(request.body, () => contextFor(request)))
      if (!known) return answerUnknown.call(app, request, reply)
      return reply.type(answerType).send(known)
    },
  })
  app.addHook('onClose', () => apollo.stop())
  return app
}

function contextOf(request: FastifyRequest, trace: Trace): RequestContext {
  const requestId = header(request, 'x-request-id')
  const principalToken = header(request, 'x-principal')
  const timeout = Number(header(request, 'x-timeout-ms'))
  return {
    ...trace,
    ...(requestId && { requestId }),
    ...(principalToken && { principalToken }),
    ...(timeout > 0 && { deadline: Date.now() + timeout }),
  }
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/**
 * GraphQL's refusals of a request keep their words and code. Whatever a resolver threw, or returned that its field cannot
 * hold, goes through the mask.
 */
function discloseError(formatted: GraphQLFormattedError, error: unknown, mask: Mask): GraphQLFormattedError {
  const { message, locations, path, extensions: { code } = {} } = formatted
  const thrown = unwrapResolverError(error)
  if (thrown instanceof GraphQLError && isErrorCode(code) && code !== 'INTERNAL_SERVER_ERROR') {
    return { message, ...(locations && { locations }), ...(path && { path }), extensions: { code } }
  }
  return { ...graphqlError(mask(thrown)), ...(locations && { locations }), ...(path && { path }) }
}
