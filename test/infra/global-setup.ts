import { join } from 'node:path'
import { migrate } from '#platform/database/migrate.ts'
import { silentLog } from '#platform/log.ts'
import { type ConsulAgent, consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { type Kafka, kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import type { Postgres } from '../../tools/infra/postgres.ts'
import { type RedisServer, redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { startTemporaryPostgres } from '../../tools/infra/temporary-postgres.ts'
import { migrationsFolder, root, serviceNames } from '../../tools/services.ts'
import { templateOf, variables } from './parts.ts'
import { hasStripeMock, type StripeMock, startStripeMock } from './stripe-mock.ts'

/**
 * Starts each real server once for the whole run and tells the test files where it is. What is missing is said, and is
 * a failure with REQUIRE_REAL=1.
 */

let postgres: Postgres | undefined
let kafka: Kafka | undefined
let redis: RedisServer | undefined
let consul: ConsulAgent | undefined
let stripe: StripeMock | undefined

export async function globalSetup(): Promise<void> {
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node')
  exitOnSignals()
  const { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, CONSUL_HTTP_ADDR: consulAddress } = process.env
  const ownBroker = !brokers && isThere('Kafka', kafkaMissing())
  const version = redisVersion()
  const ownRedis = !redisUrl && isThere('Redis', version ? undefined : 'there is no redis-server')
  const agentVersion = consulVersion()
  const ownConsul = !consulAddress && isThere('Consul', agentVersion ? undefined : 'there is no consul')
  if (consulAddress) process.env[variables.consul] = consulAddress
  if (brokers) process.env[variables.kafka] = brokers
  if (redisUrl) process.env[variables.redis] = redisUrl
  const ownStripe = isThere('Stripe', hasStripeMock() ? undefined : 'there is no stripe-mock')
  const starts = await Promise.allSettled([
    startPostgres(),
    ownBroker && startBroker(),
    ownRedis && startOwnRedis(),
    ownConsul && startOwnConsul(),
    ownStripe && startOwnStripe(),
  ])
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed) {
    // The others are up by now, and nobody would end them.
    globalTeardown()
    throw failed.reason
  }
  const rows = (await postgres?.query('SHOW server_version'))?.rows
  const parts = [
    `PostgreSQL ${rows?.[0]?.server_version}`,
    kafka && 'Kafka 4.1.0',
    redis && `Redis ${version}`,
    consul && `Consul ${agentVersion}`,
    stripe && 'stripe-mock',
  ]
  console.log(`Real parts: ${parts.filter(Boolean).join(', ')}`)
}

export function globalTeardown(): void {
  kafka?.stop()
  redis?.stop()
  consul?.stop()
  stripe?.stop()
  postgres?.stop()
}

/** The servers end when this process exits, which a signal alone would not let it do. */
function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    if (process.listenerCount(signal) === 0) process.on(signal, () => process.exit(1))
  }
}

async function startPostgres(): Promise<void> {
  postgres = await startTemporaryPostgres()
  for (const service of serviceNames) {
    await postgres.query(`CREATE DATABASE ${templateOf(service)}`)
    await migrate({ url: postgres.url(templateOf(service)), folder: migrationsFolder(service), log: silentLog })
  }
  process.env[variables.postgres] = postgres.url('postgres')
}

async function startBroker(): Promise<void> {
  kafka = await startKafka()
  process.env[variables.kafka] = kafka.brokers
}

async function startOwnRedis(): Promise<void> {
  redis = await startRedis()
  process.env[variables.redis] = redis.url
}

async function startOwnConsul(): Promise<void> {
  consul = await startConsul()
  process.env[variables.consul] = consul.address
}

async function startOwnStripe(): Promise<void> {
  stripe = await startStripeMock()
  process.env[variables.stripe] = stripe.url
}

/** Whether a server of our own can be started. Throws where it must be. */
function isThere(name: string, missing: string | undefined): boolean {
  if (!missing) return true
  if (process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and there is no ${name}: ${missing}.`)
  console.log(`Tests on ${name} are skipped: ${missing}.`)
  return false
}
