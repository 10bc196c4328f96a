import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { auditSettings } from '#platform/audit.ts'
import { balancerSettings } from '#platform/balancer.ts'
import { busSettings } from '#platform/bus/open.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { integer, list, live, onOff, type Parsed, port, processSettings, urls } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'
import { redisRule, redisSettings } from '#platform/redis.ts'
import { hearingRule } from './cache/hearing.ts'
import { cacheSettings } from './cache.ts'
import { defaultListSize, defaultMaxCost } from './cost.ts'
import { headerSettings } from './http/headers.ts'
import { limitSettings } from './limits.ts'
import { persistedSettings } from './persisted.ts'
import { rateLimitRule, rateLimitSettings } from './rate-limit.ts'
import { resilienceSettings } from './resilience.ts'
import { rolloutSettings } from './rollout.ts'
import { sheddingSettings } from './shedding.ts'
import { staleSettings } from './stale.ts'
import { traceSettings } from './trace.ts'

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...auditSettings,
  /** Default 4000. */
  PORT: port.default(4000),
  /** Processes that answer requests on the port, of which each uses one core. More than one need Redis. Default 1. */
  GATEWAY_PROCESSES: integer(1, 64).default(1),
  /** The supergraph schema. Default `schema/supergraph.graphql`. */
  SUPERGRAPH_FILE: z.string().default(fileURLToPath(new URL('../schema/supergraph.graphql', import.meta.url))),
  ...rolloutSettings,
  /** Where the keys of access tokens are published. Without it there is no authentication. */
  JWKS_URL: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  /** Seconds that keys are used before they are fetched again. A new key signs nothing for longer. Default 600. */
  JWKS_MAX_AGE: integer(1, 86_400).default(600),
  /** `none` says that no authentication is meant, where production would refuse to start without JWKS_URL. */
  AUTH: z.literal('none', 'must be none or absent').optional(),
  /** What becomes of an operation with fields that its caller may not see: `null` answers the rest. Default null. */
  UNAUTHORIZED_FIELDS: z.enum(['null', 'reject']).default('null'),
  /** `iss` of access tokens. Default `commerce-users`. */
  TOKEN_ISSUER: z.string().default('commerce-users'),
  /** `aud` of access tokens. Default `commerce-graph`. */
  TOKEN_AUDIENCE: z.string().default('commerce-graph'),
  /** The key that signs principals for subgraphs. Without it they get none. */
  SERVICE_PRIVATE_KEY: identitySettings.SERVICE_PRIVATE_KEY.optional(),
  /** GraphQL URLs of the instances of a subgraph, in place of the one in the supergraph schema. */
  USERS_URLS: urls.optional(),
  PRODUCTS_URLS: urls.optional(),
  ORDERS_URLS: urls.optional(),
  PAYMENTS_URLS: urls.optional(),
  NOTIFICATIONS_URLS: urls.optional(),
  ...balancerSettings,
  /** Origins whose pages may call the gateway. Default: Apollo Sandbox's in development, else none. */
  CORS_ORIGINS: list.optional(),
  ...headerSettings,
  ...persistedSettings,
  ...rateLimitSettings,
  ...redisSettings,
  /** Pages to explore the graph: Apollo Sandbox at `/graphql`, Altair at `/explorer`. Default: on in development. */
  EXPLORER: onOff.optional(),
  /** Whether clients may learn the schema, by introspection and by suggestions in errors. Default: on in development. */
  INTROSPECTION: onOff.optional(),
  /** Whether answers are compressed. Default off: a proxy in front does it better. */
  COMPRESSION: onOff.default('off'),
  /** How many proxies in front add to `X-Forwarded-For`. Default 0: the header is ignored. */
  TRUSTED_PROXIES: integer(0, 10).default(0),
  /** Connections that are open at once, at the most. Default 10000. */
  MAX_CONNECTIONS: integer(1, 1_000_000).default(10_000),
  /** `off` lifts the limits on operations below. Refused in production. Default on. */
  LIMITS: live(onOff.default('on')),
  ...limitSettings,
  /** Units of cost that one operation may be estimated at. Default 5000. */
  MAX_COST: live(integer(1).default(defaultMaxCost)),
  /** Entries that are assumed of a list which `@listSize` says nothing of. Default 10. */
  DEFAULT_LIST_SIZE: integer(1, 1_000_000).default(defaultListSize),
  /** Errors that are reported for one document, or for its variables. Default 10. */
  MAX_VALIDATION_ERRORS: live(integer(1, 1_000).default(10)),
  /** Operations in one request. Default 10. */
  BATCH_LIMIT: live(integer(1, 1_000).default(10)),
  /** Bytes of a request's body, at the most. Default 262144. */
  BODY_LIMIT: integer(1_024, 16 * 1024 * 1024).default(256 * 1024),
  /** Milliseconds until a request is answered with what there is. Default 10000. */
  REQUEST_TIMEOUT: integer(100, 120_000).default(10_000),
  /** Milliseconds that one fetch from one subgraph may take. Default 5000. */
  SUBGRAPH_TIMEOUT: integer(100, 120_000).default(5_000),
  /** Whether subgraphs are asked by HTTP/2: without TLS they must speak it then. Default off. */
  SUBGRAPH_HTTP2: onOff.default('off'),
  /** Whether queries that are the same, of one caller and on their way at the same time, are fetched once. Default off. */
  SUBGRAPH_SHARING: live(onOff.default('off')),
  ...resilienceSettings,
  ...staleSettings,
  ...cacheSettings,
  ...busSettings,
  ...sheddingSettings,
  ...traceSettings,
}

export type GatewayConfig = Parsed<typeof settings>

function authenticationRule({ NODE_ENV, JWKS_URL, AUTH }: Partial<GatewayConfig>): string[] {
  if (NODE_ENV !== 'production' || JWKS_URL || AUTH) return []
  return ['JWKS_URL: is not set, and production needs it, or AUTH=none']
}

function limitsRule({ NODE_ENV, LIMITS }: Partial<GatewayConfig>): string[] {
  return NODE_ENV === 'production' && LIMITS === 'off' ? ['LIMITS: production does not start without limits'] : []
}

function processesRule({ GATEWAY_PROCESSES = 1, REDIS_URL, RATE_LIMITS }: Partial<GatewayConfig>): string[] {
  if (GATEWAY_PROCESSES === 1 || REDIS_URL || RATE_LIMITS === 'off') return []
  return ['GATEWAY_PROCESSES: more than one need REDIS_URL, so that rate limits are counted for all of them together']
}

export const rules = [
  authenticationRule,
  limitsRule,
  processesRule,
  rateLimitRule,
  redisRule,
  hearingRule,
  identityRule('gateway'),
]
