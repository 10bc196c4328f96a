import type { ForeignSubgraph } from '../test/infra/gateway.ts'
import { createCallers } from './callers.ts'
import { startRememberingGraph } from './remembering-graph.ts'

/** Accounts, each with a token of its own. */
const users = 2_000
/** Entities that there are, and entries of a list. */
export const things = 4_000
export const listed = 10

const link = 'url: "https://specs.apollo.dev/federation/v2.9"'
const subgraphs: Record<string, ForeignSubgraph> = {
  lists: {
    sdl: `extend schema @link(${link}, import: ["@key", "@authenticated", "@listSize"])
      type Query {
        me: String @authenticated
        things(from: Int!): [Thing!] @listSize(assumedSize: ${listed})
      }
      type Thing @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        me: () => 'Ada',
        things: (_: unknown, { from }: { from: number }) =>
          Array.from({ length: listed }, (_, n) => ({ id: `thing-${(from + n) % things}` })),
      },
    },
  },
  things: {
    sdl: `extend schema
        @link(${link}, import: ["@key", "@composeDirective", "@requiresScopes"])
        @link(url: "https://specs.commerce.example/cacheControl/v0.1", import: ["@cacheControl"])
        @composeDirective(name: "@cacheControl")
      directive @cacheControl(maxAge: Int, scope: cacheControl__Scope) on FIELD_DEFINITION
      enum cacheControl__Scope { PUBLIC PRIVATE }
      type Thing @key(fields: "id") {
        id: ID! @cacheControl(scope: PUBLIC)
        name: String @cacheControl(scope: PUBLIC)
        description: String @cacheControl(scope: PUBLIC)
        amount: Int @cacheControl(scope: PUBLIC)
        owner: String @requiresScopes(scopes: [["things:read"]])
        broken: String
      }`,
    resolvers: {
      Thing: {
        name: ({ id }: { id: string }) => `The name of ${id}`,
        description: ({ id }: { id: string }) => `What ${id} is, in a few words.`,
        amount: () => 1_999,
        owner: () => 'Ada',
        broken: () => {
          throw new Error('It is broken.')
        },
      },
    },
  },
}

/**
 * What a gateway with everything on needs around it: two subgraphs that answer the same question from memory the second time, the keys of
 * access tokens, and a collector of traces that throws them away.
 */
export async function startSoakShop() {
  const { supergraph, serve, stop } = await startRememberingGraph(subgraphs)
  const { tokens, keySet, gatewayKey } = await createCallers(users, (n) => (n % 2 ? 'things:read' : ''))
  return {
    tokens,
    /** Limits stay on; only what would refuse this load for its speed is set high. */
    env: {
      SUPERGRAPH_FILE: supergraph,
      JWKS_URL: await serve(
        (_request, response) => void response.setHeader('content-type', 'application/json').end(keySet),
      ),
      SERVICE_PRIVATE_KEY: gatewayKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: await serve((request, response) => {
        request.resume()
        request.once('end', () => response.setHeader('content-type', 'application/x-protobuf').end())
      }),
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.1',
      TRUSTED_PROXIES: '1',
      COMPRESSION: 'on',
      OPERATIONS: 'open',
      RATE_LIMIT_ANONYMOUS: '1000000000',
      RATE_LIMIT_COST: '1000000000',
      MAX_EVENT_LOOP_DELAY: '0',
      LOG_LEVEL: 'warn',
      AUDIT_LOG: '/dev/null',
    },
    stop,
  }
}
