import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings, databaseUrl } from '#platform/database/open.ts'
import { list, port, processSettings, readEnv } from '#platform/env.ts'
import { identitySettings } from '#platform/principal.ts'

export const settings = {
  ...processSettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  /** Default 4003. */
  PORT: port.default(4003),
  ORDERS_DATABASE_URL: databaseUrl,
  /** `host:port` of each instance of users. Default `127.0.0.1:50051`. */
  USERS_GRPC_URLS: list.default(['127.0.0.1:50051']),
  /** `host:port` of each instance of products. Default `127.0.0.1:50053`. */
  PRODUCTS_GRPC_URLS: list.default(['127.0.0.1:50053']),
}

export const readConfig = () => readEnv(settings, [busRules])
