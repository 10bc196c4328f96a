import { z } from 'zod'
import { auditSettings } from '#platform/audit.ts'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings, databaseUrl } from '#platform/database/open.ts'
import { integer, port, processSettings, readEnv } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

export const settings = {
  ...processSettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  ...auditSettings,
  /** Default 4001. */
  PORT: port.default(4001),
  /** Default 50051. */
  GRPC_PORT: port.default(50_051),
  USERS_DATABASE_URL: databaseUrl,
  /** `iss` of access tokens. Default `commerce-users`. */
  TOKEN_ISSUER: z.string().default('commerce-users'),
  /** `aud` of access tokens. Default `commerce-graph`. */
  TOKEN_AUDIENCE: z.string().default('commerce-graph'),
  /** Seconds that an access token is valid. Default 900. */
  ACCESS_TOKEN_LIFETIME: integer(1, 86_400).default(900),
}

export const readConfig = () => readEnv(settings, [busRules, identityRule('users')])
