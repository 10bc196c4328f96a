import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { ServiceName } from '../../tools/services.ts'

/** The variables in which the global setup tells test files where the real servers are. */
export const variables = {
  postgres: 'TEST_POSTGRES_URL',
  kafka: 'TEST_KAFKA_BROKERS',
  redis: 'TEST_REDIS_URL',
  consul: 'TEST_CONSUL_ADDRESS',
  stripe: 'TEST_STRIPE_URL',
} as const

/** The migrated database that test databases of a service are copies of. */
export function templateOf(service: ServiceName): string {
  return `template_${service}`
}

/** A database of a test's own: a migrated one of a service, or an empty one. Returns its URL. */
export async function createTestDatabase(service?: ServiceName): Promise<string> {
  const server = process.env[variables.postgres]
  if (!server) throw new Error('Run tests with --test-global-setup=test/infra/global-setup.ts, as npm test does.')
  const name = `test_${service ?? 'empty'}_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${service ? templateOf(service) : 'template0'}`)
  await client.end()
  const url = new URL(server)
  url.pathname = name
  return url.href
}

/** Kafka's brokers. Undefined where there are none: skip the test. */
export function kafkaBrokers(): string | undefined {
  return process.env[variables.kafka]
}

/** Redis's URL. Undefined where there is none: skip the test. Others use it too: begin the names of keys with something new. */
export function redisUrl(): string | undefined {
  return process.env[variables.redis]
}

/** `host:port` of Consul. Undefined where there is none: skip the test. Others use it too: begin the names of services with something new. */
export function consulAddress(): string | undefined {
  return process.env[variables.consul]
}

/** The URL of Stripe's mock. Undefined where there is none: skip the test. */
export function stripeUrl(): string | undefined {
  return process.env[variables.stripe]
}
