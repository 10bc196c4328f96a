import { z } from 'zod'
import { auditSettings } from '#platform/audit.ts'
import { balancerSettings } from '#platform/balancer.ts'
import { breakerSettings } from '#platform/breaker.ts'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings } from '#platform/database/open.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { addresses, integer, live, port, processSettings } from '#platform/env.ts'
import { callSettings } from '#platform/grpc/settings.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'
import { redisRule, redisSettings } from '#platform/redis.ts'

/** How often passwords may be wrong. Failures are counted from the first, for as long as a window lasts. */
export const attemptSettings = {
  /** Wrong passwords for one account from one network address. Default 10. */
  WRONG_PASSWORDS: live(integer(1, 1_000_000_000).default(10)),
  /** Wrong passwords for all accounts together from one network address. Default 100. */
  WRONG_PASSWORDS_PER_ADDRESS: live(integer(1, 1_000_000_000).default(100)),
  /** Seconds that a window lasts. Default 900. */
  WRONG_PASSWORD_WINDOW: integer(1, 86_400).default(900),
}

/** What the tools that work on signing keys read too. */
export const signingKeySettings = {
  /** 32 bytes in base64url, by which private signing keys are encrypted in the database. Required in production. */
  SIGNING_KEYS_SECRET: z
    .string()
    .regex(/^[\w-]{43}$/, 'must be 32 bytes in base64url')
    .transform((text) => Buffer.from(text, 'base64url'))
    .optional(),
  /** Seconds that a signing key is published before it signs: more than any verifier keeps a key set. Default 900. */
  SIGNING_KEY_DELAY: integer(0, 604_800).default(900),
  /** Seconds that an access token is valid. Default 900. */
  ACCESS_TOKEN_LIFETIME: integer(1, 86_400).default(900),
}

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  ...balancerSettings,
  ...callSettings,
  ...auditSettings,
  ...redisSettings,
  /** Default 4001. */
  PORT: port.default(4001),
  /** Default 50051. */
  GRPC_PORT: port.default(50_051),
  USERS_DATABASE_URL: databaseUrl,
  /** `iss` of access tokens. Default `commerce-users`. */
  TOKEN_ISSUER: z.string().default('commerce-users'),
  /** `aud` of access tokens. Default `commerce-graph`. */
  TOKEN_AUDIENCE: z.string().default('commerce-graph'),
  ...signingKeySettings,
  ...attemptSettings,
  /** Seconds that a one-time code is good for. Default 900. */
  CODE_LIFETIME: integer(1, 86_400).default(900),
  /** Passwords that are hashed at once, each of which takes 19 MiB and one of Node's threads. Default 3. */
  PASSWORD_HASH_CONCURRENCY: integer(1, 256).default(3),
  /** `host:port` of each instance of notifications. Default `127.0.0.1:50055`. */
  NOTIFICATIONS_GRPC_URLS: addresses.default(['127.0.0.1:50055']),
  ...breakerSettings,
}

type Secrecy = { NODE_ENV?: string | undefined; SIGNING_KEYS_SECRET?: Buffer | undefined }

/** Production keeps no private key as it is. */
export function signingKeyRule({ NODE_ENV, SIGNING_KEYS_SECRET }: Secrecy): string[] {
  return NODE_ENV === 'production' && !SIGNING_KEYS_SECRET ? ['SIGNING_KEYS_SECRET: is not set'] : []
}

export const rules = [busRules, redisRule, identityRule('users'), signingKeyRule]
