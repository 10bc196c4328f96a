import type { Metrics } from '../metrics.ts'

/** Counts what becomes of events. Topics, types and groups are those that the process was made for: closed sets. */
export function createBusMeters(metrics: Metrics) {
  const perGroup = ['group', 'topic'] as const
  const published = metrics.counter('events_published_total', 'Events that the event log acknowledged.', [
    'topic',
    'type',
  ])
  const handled = metrics.counter('events_handled_total', 'Events whose handler returned.', perGroup)
  const retries = metrics.counter('event_retries_total', 'Failures after which an event comes again.', perGroup)
  const deadLetters = metrics.counter('dead_letters_total', 'Events that were given up.', perGroup)
  const durations = metrics.histogram('event_handling_duration_seconds', 'Events whose handler returned.', perGroup)
  return {
    published: ({ topic, type }: { topic: string; type: string }) => published.inc({ topic, type }),
    /** Shows what is consumed from the start: a counter that appears with 1 did not rise, for Prometheus. */
    expected(group: string, topic: string): void {
      for (const counter of [handled, retries, deadLetters]) counter.inc({ group, topic }, 0)
    },
    handled(group: string, topic: string, seconds: number): void {
      handled.inc({ group, topic })
      durations.observe({ group, topic }, seconds)
    },
    retried: (group: string, topic: string) => retries.inc({ group, topic }),
    givenUp: (group: string, topic: string) => deadLetters.inc({ group, topic }),
  }
}

export type BusMeters = ReturnType<typeof createBusMeters>
