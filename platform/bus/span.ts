import { readTrace } from '../context.ts'
import { enter, failWith, type SpanOptions } from '../telemetry/span.ts'
import type { Bus, BusEvent } from './bus.ts'

/** An event log, as OpenTelemetry calls it. */
export type MessagingSystem = 'kafka' | 'postgresql'

/** What is done with an event, by the kind of span that it is. */
const operations = new Map(
  Object.entries({ send: 'PRODUCER', process: 'CONSUMER' }).map(([name, kind]) => [kind, name]),
)

/** The span of one event that is sent or handled. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans */
export function eventSpan(
  kind: 'PRODUCER' | 'CONSUMER',
  { id, type, topic }: BusEvent,
  system: MessagingSystem = 'kafka',
  more: SpanOptions['attributes'] = {},
): SpanOptions & { name: string } {
  const operation = operations.get(kind) ?? ''
  const attributes = {
    'messaging.system': system,
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': topic,
    'messaging.message.id': id,
    'cloudevents.event_type': type,
    ...more,
  }
  return { name: `${operation} ${topic}`, kind, attributes }
}

/**
 * Publishes each event in a span of its own, in the trace of the change that it tells of. Whoever handles the event goes on from
 * that span.
 */
export function traceSends(publish: Bus['publish'], system: MessagingSystem): Bus['publish'] {
  return async function publishTraced(events) {
    const sends = events.map((event) => begin(event, system))
    try {
      await publish(sends.map(({ event }) => event))
    } catch (error) {
      for (const { span } of sends) failWith(span, error)
      throw error
    } finally {
      for (const { span } of sends) span?.end()
    }
  }
}

function begin(event: BusEvent, system: MessagingSystem) {
  const place = readTrace(event)
  if (!place?.sampled) return { event, span: undefined }
  const { name, ...options } = eventSpan('PRODUCER', event, system)
  const { trace, span } = enter(place, name, options)
  return { event: span ? { ...event, ...trace } : event, span }
}
