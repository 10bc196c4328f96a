import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { auditSettings } from '#platform/audit.ts'
import { integer, list, type Parsed, port, processSettings, readEnv, urls } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

export const settings = {
  ...processSettings,
  ...auditSettings,
  /** Default 4000. */
  PORT: port.default(4000),
  /** The supergraph schema. Default `schema/supergraph.graphql`. */
  SUPERGRAPH_FILE: z.string().default(fileURLToPath(new URL('../schema/supergraph.graphql', import.meta.url))),
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
  NOTIFICATIONS_URLS: urls.optional(),
  /** Origins whose pages may call the gateway. Default: Apollo Sandbox's in development, else none. */
  CORS_ORIGINS: list.optional(),
  /** Bytes of a request's body, at the most. Default 262144. */
  BODY_LIMIT: integer(1_024, 16 * 1024 * 1024).default(256 * 1024),
  /** Milliseconds until a request is answered with what there is. Default 10000. */
  REQUEST_TIMEOUT: integer(100, 120_000).default(10_000),
  /** Milliseconds that one fetch from one subgraph may take. Default 5000. */
  SUBGRAPH_TIMEOUT: integer(100, 120_000).default(5_000),
}

export type GatewayConfig = Parsed<typeof settings>

function authenticationRule({ NODE_ENV, JWKS_URL, AUTH }: Partial<GatewayConfig>): string[] {
  if (NODE_ENV !== 'production' || JWKS_URL || AUTH) return []
  return ['JWKS_URL: is not set, and production needs it, or AUTH=none']
}

export const readConfig = () => readEnv(settings, [authenticationRule, identityRule('gateway')])
