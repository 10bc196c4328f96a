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
  process.on('exit', () => postgres?.stop())
  const [server, broker] = await Promise.all([startTemporaryPostgres(), startBroker()])
  postgres = server
  kafka = broker
  const { rows } = await server.query('SHOW server_version')
  for (const service of serviceNames) {
    await server.query(`CREATE DATABASE ${templateOf(service)}`)
    await migrate({ url: server.url(templateOf(service)), folder: migrationsFolder(service), log: silentLog })
  }
  process.env[variables.postgres] = server.url('postgres')
  console.log(`Real parts: PostgreSQL ${rows[0]?.server_version}${kafka ? ', Kafka 4.1.0' : ''}`)
}

export async function globalTeardown(): Promise<void> {
  await kafka?.stop()
  postgres?.stop()
  postgres = undefined
}

/** The broker that KAFKA_BROKERS names, or one of our own. */
async function startBroker(): Promise<Kafka | undefined> {
  if (process.env.KAFKA_BROKERS) {
    process.env[variables.kafka] = process.env.KAFKA_BROKERS
    return undefined
  }
  const missing = kafkaMissing()
  if (!missing) {
    const broker = await startKafka()
    process.env[variables.kafka] = broker.brokers
    return broker
  }
  if (process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and there is no Kafka: ${missing}.`)
  console.log(`Tests on Kafka are skipped: ${missing}.`)
  return undefined
}
