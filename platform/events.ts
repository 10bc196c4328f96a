import type { EventHandler } from './bus/bus.ts'
import { type BusConfig, openBus } from './bus/open.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'
import { createOutboxRelay } from './outbox.ts'

export type EventsOptions = {
  /** The service: the source of what it emits, the group of what it consumes. */
  name: string
  config: BusConfig
  /** The URL of the database whose outbox is sent. Absent for a service that emits nothing. */
  outbox?: string
  log: Log
  lifecycle: Lifecycle
}

/**
 * A service's end of the event log. It is open until the process stops: then the service consumes no more, and sends what
 * is left in its outbox after everything that could still add to it.
 */
export async function openEvents({ name, config, outbox, log, lifecycle }: EventsOptions) {
  const bus = await openBus({ config, clientId: name, log })
  lifecycle.onStop('event log', bus.close)
  const relay = outbox && createOutboxRelay({ url: outbox, source: name, publish: bus.publish, log })
  if (relay) lifecycle.onStop('outbox', relay.stop)

  return {
    /** Rejects when the event log cannot be reached. */
    check: bus.check,
    /** Begins to send, and to consume what there are handlers for. Called when the service is complete. */
    start(handlers: readonly EventHandler[] = []): void {
      if (relay) relay.start()
      if (handlers.length === 0) return
      const subscription = bus.subscribe({ group: name, handlers })
      lifecycle.onStop('event consumer', subscription.stop)
    },
  }
}
