import { z } from 'zod'
import type { BusEvent } from './bus.ts'
import { PoisonError } from './handlers.ts'

/** A record of the log: CloudEvents' binary mode, the attributes in headers, the data as JSON. */
export type LogRecord = { key: string; headers: Record<string, string>; value: Buffer }

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#32-binary-content-mode */
export function toRecord(event: BusEvent): LogRecord {
  return {
    key: event.key,
    headers: {
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_type: event.type,
      ce_source: event.source,
      ce_time: event.time.toISOString(),
      ce_sequence: String(event.sequence),
      'content-type': 'application/json',
      ...(event.traceparent && { traceparent: event.traceparent }),
      ...(event.tracestate && { tracestate: event.tracestate }),
    },
    value: Buffer.from(JSON.stringify(event.data)),
  }
}

const attributes = z.object({
  ce_id: z.uuid(),
  ce_type: z.string(),
  ce_source: z.string(),
  ce_time: z.iso.datetime(),
  ce_sequence: z.coerce.number().int(),
  // Whatever is said of the trace, it makes no event poison.
  traceparent: z.string().optional().catch(undefined),
  tracestate: z.string().optional().catch(undefined),
})

/** Throws PoisonError for what is not an event. */
export function fromRecord(topic: string, { key, headers, value }: LogRecord): BusEvent {
  const parsed = attributes.safeParse(headers)
  if (!parsed.success) {
    throw new PoisonError(
      `Not an event, attributes missing or malformed: ${parsed.error.issues.map(({ path }) => path.join('.')).join(', ')}`,
    )
  }
  const { ce_id: id, ce_type: type, ce_source: source, ce_time, ce_sequence: sequence, ...trace } = parsed.data
  let data: unknown
  try {
    data = JSON.parse(value.toString())
  } catch {
    throw new PoisonError('The body is not JSON.')
  }
  return {
    id,
    type,
    topic,
    key,
    source,
    time: new Date(ce_time),
    sequence,
    ...(trace.traceparent && { traceparent: trace.traceparent }),
    ...(trace.tracestate && { tracestate: trace.tracestate }),
    data,
  }
}
