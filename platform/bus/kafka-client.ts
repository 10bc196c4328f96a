import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { Log } from '../log.ts'

export type KafkaSasl = { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }

/** PEM. Without `ca` the brokers' certificates are checked against the authorities that Node knows. */
export type KafkaTls = { ca?: string; cert?: string; key?: string }

export type KafkaOptions = {
  brokers: string[]
  clientId: string
  /** Begins the names of all topics and groups, where a cluster is shared. */
  prefix?: string
  tls: boolean | KafkaTls
  /** How to sign in at the brokers. Default: not at all. */
  sasl?: KafkaSasl | undefined
  log: Log
}

export function createKafkaClient({ brokers, clientId, tls, sasl, log }: KafkaOptions): Kafka {
  return new Kafka({
    brokers,
    clientId,
    ssl: tls,
    ...(sasl && { sasl: sasl as SASLOptions }),
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ log: { message, error } }) =>
        // What cannot be retried reaches us as a rejection and is logged there.
        log.debug('kafka', { detail: message, error }),
  })
}
