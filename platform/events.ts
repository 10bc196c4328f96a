import { setTimeout as sleep } from 'node:timers/promises'
import type { EventHandler } from './bus/bus.ts'
import { createBusMeters } from './bus/meters.ts'
import { type BusConfig, openBus } from './bus/open.ts'
import { traceSends } from './bus/span.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { createOutboxRelay, mostCounted } from './outbox.ts'
import { createRetention } from './retention.ts'

export type EventsOptions = {
  /** The service: the source of what it emits, the group of what it consumes. */
  name: string
  /** The service's database, which holds its outbox and its inbox. */
  url: string
  config: BusConfig
  log: Log
  lifecycle: Lifecycle
  metrics: Metrics
}

/** Seconds that an event waits in the outbox at the most while all is well. */
const longestWait = 10
/** Milliseconds for the event log to say that it is there. */
const patience = 5_000

/**
 * A service's end of the event log. It is open until the process stops: then the service consumes no more, and sends what
 * is left in its outbox after everything that could still add to it.
 */
export async function openEvents({ name, url, config, log, lifecycle, metrics }: EventsOptions) {
  const bus = await openBus({ config, clientId: name, log, meters: createBusMeters(metrics) })
  lifecycle.onStop('event log', bus.close)
  const publish = traceSends(bus.publish, config.KAFKA_BROKERS ? 'kafka' : 'postgresql')
  const relay = createOutboxRelay({ url, source: name, publish, log })
  lifecycle.onStop('outbox', relay.stop)

  return {
    /** Rejects when the event log cannot be reached. */
    check: bus.check,
    /** Whether what happens now can be told: the event log is there and takes what is in the outbox, as far as one can see. */
    canTell(): Promise<boolean> {
      const flows = Promise.all([relay.backlog(), bus.check()]).then(
        ([{ oldest }]) => oldest < longestWait,
        () => false,
      )
      return Promise.race([flows, sleep(patience, false, { ref: false })])
    },
    /** Begins to send what is in the outbox. Called when the service is complete, as the next is. */
    emit(): void {
      relay.start()
      keep('outbox')
      const helps = {
        outbox_pending: `Events that are not sent yet, counted up to ${mostCounted}.`,
        outbox_oldest_seconds: 'The age of the oldest event that is not sent yet.',
      }
      metrics.measured(helps, [], async () => {
        const { pending, oldest } = await relay.backlog()
        return [{ labels: {}, values: { outbox_pending: pending, outbox_oldest_seconds: oldest } }]
      })
    },
    /** Begins to consume. */
    consume(handlers: readonly EventHandler[]): void {
      const subscription = bus.subscribe({ group: name, handlers })
      lifecycle.onStop('event consumer', subscription.stop)
      keep('inbox')
      const helps = { consumer_lag: 'Records that the group, all instances together, has still to handle.' }
      metrics.measured(helps, ['group', 'topic'], async () =>
        (await subscription.lag()).map(({ topic, records }) => ({
          labels: { group: name, topic },
          values: { consumer_lag: records },
        })),
      )
    },
  }

  function keep(table: 'outbox' | 'inbox'): void {
    const retention = createRetention({ url, name, table, log })
    retention.start()
    lifecycle.onStop(`${table} retention`, retention.stop)
  }
}
