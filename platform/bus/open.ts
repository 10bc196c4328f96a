import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { databaseUrl } from '../database/url.ts'
import { addresses, type Parsed, type processSettings } from '../env.ts'
import type { Log } from '../log.ts'
import type { Bus } from './bus.ts'
import type { KafkaOptions, KafkaSasl, KafkaTls } from './kafka-client.ts'
import type { BusMeters } from './meters.ts'
import type { RecordLog } from './records.ts'

/** Which event log: Kafka where brokers are named, else tables of a PostgreSQL database. */
export const busSettings = {
  /** Kafka brokers, `host:port` separated by commas. Required in production. */
  KAFKA_BROKERS: addresses.optional(),
  /** Begins the names of all topics and groups, where a cluster is shared. Default: nothing. */
  KAFKA_PREFIX: z
    .string()
    .regex(/^[\w.-]*$/, 'has letters, digits, dots, dashes and underscores')
    .default(''),
  /** `true` to speak TLS with the brokers. Default false. */
  KAFKA_TLS: z.stringbool().default(false),
  /** Files in PEM: the authority that the brokers' certificates are from, and a certificate of our own with its key. */
  KAFKA_TLS_CA_FILE: z.string().optional(),
  KAFKA_TLS_CERT_FILE: z.string().optional(),
  KAFKA_TLS_KEY_FILE: z.string().optional(),
  /** How to sign in at the brokers. Default: not at all. */
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  /** The database of the embedded event log. Used without KAFKA_BROKERS. */
  EVENTS_DATABASE_URL: databaseUrl.optional(),
}

export type BusConfig = Parsed<typeof busSettings>

/** What the settings must be together. */
export function busRules(config: Partial<BusConfig & Parsed<typeof processSettings>>): string[] {
  const { NODE_ENV, KAFKA_BROKERS, EVENTS_DATABASE_URL, KAFKA_SASL_MECHANISM: mechanism } = config
  const faults: string[] = []
  if (!KAFKA_BROKERS && NODE_ENV === 'production') faults.push('KAFKA_BROKERS: is not set, and production needs Kafka')
  else if (!KAFKA_BROKERS && !EVENTS_DATABASE_URL) faults.push('KAFKA_BROKERS or EVENTS_DATABASE_URL: neither is set')
  if (mechanism && !(config.KAFKA_SASL_USERNAME && config.KAFKA_SASL_PASSWORD)) {
    faults.push('KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: not both are set, and KAFKA_SASL_MECHANISM needs them')
  }
  const { KAFKA_TLS, KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE } = config
  if (!KAFKA_TLS_CERT_FILE !== !KAFKA_TLS_KEY_FILE) {
    faults.push('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE: one is of no use without the other')
  }
  if (KAFKA_TLS === false && (KAFKA_TLS_CA_FILE || KAFKA_TLS_CERT_FILE)) {
    faults.push('KAFKA_TLS: is not true, and certificates are named')
  }
  return faults
}

/** Opens the event log that the settings name. Loads only the client that is used. */
export async function openBus({
  config,
  clientId,
  log,
  meters,
}: {
  config: BusConfig
  clientId: string
  log: Log
  meters: BusMeters
}): Promise<Bus> {
  if (config.KAFKA_BROKERS) {
    const { createKafkaBus } = await import('./kafka.ts')
    return createKafkaBus({ ...kafkaOptions(config), clientId, log, meters })
  }
  const { createPostgresBus } = await import('./postgres.ts')
  return createPostgresBus({ url: config.EVENTS_DATABASE_URL ?? '', log, meters })
}

/** Opens the records of the event log that the settings name. */
export async function openRecords({ config, log }: { config: BusConfig; log: Log }): Promise<RecordLog> {
  if (config.KAFKA_BROKERS) {
    const { openKafkaRecords } = await import('./kafka-records.ts')
    return openKafkaRecords({ ...kafkaOptions(config), clientId: 'records', log })
  }
  const { openPostgresRecords } = await import('./postgres-records.ts')
  return openPostgresRecords({ url: config.EVENTS_DATABASE_URL ?? '', log })
}

/** How to reach the brokers that the settings name. */
export function kafkaOptions(config: BusConfig): Omit<KafkaOptions, 'clientId' | 'log'> {
  return {
    brokers: config.KAFKA_BROKERS ?? [],
    prefix: config.KAFKA_PREFIX,
    tls: config.KAFKA_TLS && tls(config),
    sasl: sasl(config),
  }
}

function tls({ KAFKA_TLS_CA_FILE: ca, KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key }: BusConfig): KafkaTls {
  const files = Object.entries({ ca, cert, key }).flatMap(([name, file]) => (file ? [[name, file] as const] : []))
  return Object.fromEntries(files.map(([name, file]) => [name, readFileSync(file, 'utf8')]))
}

function sasl({
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_SASL_USERNAME,
  KAFKA_SASL_PASSWORD,
}: BusConfig): KafkaSasl | undefined {
  if (!mechanism) return undefined
  return { mechanism, username: KAFKA_SASL_USERNAME ?? '', password: KAFKA_SASL_PASSWORD ?? '' }
}
