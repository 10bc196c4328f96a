import { events } from '#contracts/events.ts'
import { deadLetterTopic, type EventHandler } from '#platform/bus/bus.ts'
import { type BusConfig, busRules, busSettings } from '#platform/bus/open.ts'
import { readEnv, withoutFiles } from '#platform/env.ts'
import { createEventHandlers as notifications } from '../../subgraphs/notifications/events.ts'
import { createEventHandlers as orders } from '../../subgraphs/orders/events.ts'
import { createEventHandlers as payments } from '../../subgraphs/payments/events.ts'
import { createEventHandlers as products } from '../../subgraphs/products/events.ts'
import { serviceDatabase } from './service-database.ts'

/** Which event log: the one that variables name, as for a service, else that of the running development shop. */
export function eventLogConfig(): BusConfig {
  const env = withoutFiles(['KAFKA_BROKERS', 'EVENTS_DATABASE_URL'])
  if (!env.KAFKA_BROKERS) env.EVENTS_DATABASE_URL = serviceDatabase('events')
  return readEnv(busSettings, [busRules], env)
}

/** What each group handles, as the services themselves say. Nothing is handled here: a use case is never called. */
const handlersOf: Record<string, (service: never, onRecorded: never) => EventHandler[]> = {
  products,
  orders,
  payments,
  notifications,
}

/** Every topic that events are emitted to, and every topic of dead letters, without prefix. */
export function allTopics(): string[] {
  const unused = {} as never
  const consumed = Object.entries(handlersOf).map(
    ([group, create]) => [group, new Set(create(unused, unused).map(({ topic }) => topic))] as const,
  )
  const emitted = new Set(events.map(({ topic }) => topic))
  return [
    ...emitted,
    ...consumed.flatMap(([group, topics]) => [...topics].map((topic) => deadLetterTopic(topic, group))),
  ]
}
