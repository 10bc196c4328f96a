import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings } from '#platform/database/open.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { integer, live, port, processSettings } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'
import { redisRule, redisSettings } from '#platform/redis.ts'

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  ...redisSettings,
  /** Default 4002. */
  PORT: port.default(4002),
  /** Default 50053. */
  GRPC_PORT: port.default(50_053),
  PRODUCTS_DATABASE_URL: databaseUrl,
  /** Seconds that items are held for an order that is not paid. Default 900. */
  RESERVATION_HOLD: integer(1, 86_400).default(900),
  /** Seconds that what the catalogue says of a product is remembered, if nothing tells that it changed; 0 for nothing. Default 600. */
  PRODUCT_CACHE: live(integer(0, 86_400).default(600)),
  /** The stock at which `stock.low` tells of a product that is running out. Default 5. */
  LOW_STOCK: integer(0, 1_000_000).default(5),
  /** Seconds between looks for holds that are overdue. Default 5. */
  RESERVATION_SWEEP_INTERVAL: integer(1, 3_600).default(5),
}

export const rules = [busRules, identityRule('products'), redisRule]
