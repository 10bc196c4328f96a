import type { Follower, FollowOptions } from './follower.ts'
import { type BusConfig, kafkaOptions } from './open.ts'

/** Follows the event log that the settings name. Loads only the client that is used. */
export async function followEvents(config: BusConfig, clientId: string, options: FollowOptions): Promise<Follower> {
  if (config.KAFKA_BROKERS) {
    const { followKafka } = await import('./kafka-follower.ts')
    return followKafka({ ...kafkaOptions(config), clientId, log: options.log }, options)
  }
  const { followPostgres } = await import('./postgres-follower.ts')
  return followPostgres(config.EVENTS_DATABASE_URL ?? '', options)
}
