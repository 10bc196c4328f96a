import { balancerSettings } from '#platform/balancer.ts'
import { breakerSettings } from '#platform/breaker.ts'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings } from '#platform/database/open.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { addresses, integer, live, port, processSettings } from '#platform/env.ts'
import { callSettings } from '#platform/grpc/settings.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  ...balancerSettings,
  ...callSettings,
  /** Default 4003. */
  PORT: port.default(4003),
  /** Default 50052. */
  GRPC_PORT: port.default(50_052),
  ORDERS_DATABASE_URL: databaseUrl,
  /** Seconds that one attempt to place an order may take before a repeat takes over. Default 15. */
  ORDER_CLAIM_LEASE: integer(1, 300).default(15),
  /** Orders of one customer that wait to be paid, above which no other is taken. Default 20. */
  MAX_UNPAID_ORDERS: live(integer(1, 1_000_000_000).default(20)),
  /** `host:port` of each instance of users. Default `127.0.0.1:50051`. */
  USERS_GRPC_URLS: addresses.default(['127.0.0.1:50051']),
  /** `host:port` of each instance of products. Default `127.0.0.1:50053`. */
  PRODUCTS_GRPC_URLS: addresses.default(['127.0.0.1:50053']),
  /** Failed calls in a row, after more than which the breaker of products opens. Default 5. */
  PRODUCTS_BREAKER_FAILURES: live(integer(0, 1_000).default(5)),
  ...breakerSettings,
}

export const rules = [busRules, identityRule('orders')]
