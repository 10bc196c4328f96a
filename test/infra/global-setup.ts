import { join } from 'node:path'
import { migrate } from '#platform/database/migrate.ts'
import { silentLog } from '#platform/log.ts'
import { type Kafka, kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import type { Postgres } from '../../tools/infra/postgres.ts'
import { startTemporaryPostgres } from '../../tools/infra/temporary-postgres.ts'
import { migrationsFolder, root, serviceNames } from '../../tools/services.ts'
import { templateOf, variables } from './parts.ts'

/**
 * Starts each real server once for the whole run and tells the test files where it is. What is missing is said, and is
 * a failure with REQUIRE_REAL=1.
 */

let postgres: Postgres | undefined
let kafka: Kafka | undefined

export async function globalSetup(): Promise<void> {
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node')
  exitOnSignals()
  const brokers = process.env.KAFKA_BROKERS
  const ownBroker = !brokers && isKafkaThere()
  if (brokers) process.env[variables.kafka] = brokers
  await Promise.all([startPostgres(), ownBroker && startBroker()])
  const rows = (await postgres?.query('SHOW server_version'))?.rows
  console.log(`Real parts: PostgreSQL ${rows?.[0]?.server_version}${kafka ? ', Kafka 4.1.0' : ''}`)
}

export function globalTeardown(): void {
  kafka?.stop()
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

/** Whether a broker of our own can be started. Throws where it must be. */
function isKafkaThere(): boolean {
  const missing = kafkaMissing()
  if (!missing) return true
  if (process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and there is no Kafka: ${missing}.`)
  console.log(`Tests on Kafka are skipped: ${missing}.`)
  return false
}
