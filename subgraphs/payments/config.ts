import { z } from 'zod'
import { balancerSettings } from '#platform/balancer.ts'
import { breakerSettings } from '#platform/breaker.ts'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings } from '#platform/database/open.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { addresses, integer, live, type Parsed, port, processSettings } from '#platform/env.ts'
import { callSettings } from '#platform/grpc/settings.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })

const providerSettings = {
  /** Who moves the money. Default: Stripe where there is a key of it, else the sandbox. Required in production. */
  PAYMENTS_PROVIDER: z.enum(['stripe', 'sandbox'], 'must be stripe or sandbox').optional(),
  /** Required with Stripe. */
  STRIPE_SECRET_KEY: z.string().optional(),
  /** What Stripe signs webhooks with. Required with Stripe. */
  STRIPE_WEBHOOK_SECRET: z.string().optional(),
  /** Where Stripe's API is. Default: Stripe's own. */
  STRIPE_API_URL: httpUrl.optional(),
  /** Where payers come back to from 3-D Secure. Required with Stripe. */
  PAYMENT_RETURN_URL: httpUrl.optional(),
  /** What the shop and the sandbox prove themselves to each other with, at least 16 characters. Required with the sandbox. */
  SANDBOX_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  /** Where payers and the shop reach the sandbox. Default `http://127.0.0.1:4004/sandbox`. */
  SANDBOX_URL: httpUrl.default('http://127.0.0.1:4004/sandbox'),
  /** Where the sandbox sends callbacks: to the gateway. Default `http://127.0.0.1:4000/webhooks/payments`. */
  SANDBOX_WEBHOOK_URL: httpUrl.default('http://127.0.0.1:4000/webhooks/payments'),
}

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  ...balancerSettings,
  ...callSettings,
  /** Default 4004. */
  PORT: port.default(4004),
  /** Default 50054. */
  GRPC_PORT: port.default(50_054),
  PAYMENTS_DATABASE_URL: databaseUrl,
  ...providerSettings,
  /** Seconds that the provider has to tell what became of a payment or a refund, before it is asked. Default 60. */
  PAYMENT_PATIENCE: integer(1, 3_600).default(60),
  /** Declined payments of one customer in an hour, after which no other is taken until they are fewer. Default 30. */
  MAX_DECLINED_PAYMENTS: live(integer(1, 1_000_000_000).default(30)),
  /** `host:port` of each instance of orders. Default `127.0.0.1:50052`. */
  ORDERS_GRPC_URLS: addresses.default(['127.0.0.1:50052']),
  ...breakerSettings,
}

type ProviderConfig = Parsed<typeof providerSettings>

/** The provider that is meant. */
export function providerOf({ PAYMENTS_PROVIDER, STRIPE_SECRET_KEY }: Partial<ProviderConfig>): 'stripe' | 'sandbox' {
  return PAYMENTS_PROVIDER ?? (STRIPE_SECRET_KEY ? 'stripe' : 'sandbox')
}

const needs = {
  stripe: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'PAYMENT_RETURN_URL'],
  sandbox: ['SANDBOX_SECRET'],
} as const

/** A provider has all that it needs, and production says which one it means. */
function providerRule(config: Partial<ProviderConfig & Parsed<typeof processSettings>>): string[] {
  const { NODE_ENV, PAYMENTS_PROVIDER } = config
  if (NODE_ENV === 'production' && !PAYMENTS_PROVIDER) return ['PAYMENTS_PROVIDER: is not set']
  const provider = providerOf(config)
  return needs[provider].filter((name) => !config[name]).map((name) => `${name}: is not set, and ${provider} needs it`)
}

export const rules = [busRules, identityRule('payments'), providerRule]
