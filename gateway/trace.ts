import type { IncomingHttpHeaders } from 'node:http'
import type { GraphQLFormattedError } from 'graphql'
import { z } from 'zod'
import { readTrace, type Trace, traceId } from '#platform/context.ts'
import type { RequestPlace } from '#platform/telemetry/http.ts'
import { type SpanOptions, sampled } from '#platform/telemetry/span.ts'

export const traceSettings = {
  /**
   * What is believed of a client's `traceparent`. `continue`: the trace goes on, and the gateway decides whether it is recorded;
   * `trust`: the client decides that too; `restart`: a new trace, with a link to the client's. Default continue.
   */
  CLIENT_TRACES: z.enum(['continue', 'trust', 'restart']).default('continue'),
}

export type ClientTraces = z.output<typeof traceSettings.CLIENT_TRACES>

/** Where a request begins in its trace, as far as its client is believed. */
export function placeOfClient({ traceparent, tracestate }: IncomingHttpHeaders, believed: ClientTraces): RequestPlace {
  const place = readTrace({ traceparent: asText(traceparent), tracestate: asText(tracestate) })
  if (!place || believed === 'trust') return { parent: place }
  if (believed === 'restart') return { parent: undefined, links: [place] }
  return { parent: { ...place, sampled: sampled() } }
}

/** Errors with the trace in which what led to them is found. */
export function withTraceId(
  errors: readonly GraphQLFormattedError[],
  trace: Trace | undefined,
): readonly GraphQLFormattedError[] {
  if (!trace) return errors
  const id = traceId(trace.traceparent)
  return errors.map((error) => ({ ...error, extensions: { ...error.extensions, traceId: id } }))
}

/** The span of a fetch from an instance of a subgraph, by how often it was tried before. https://opentelemetry.io/docs/specs/semconv/http/http-spans */
export function fetchSpan(subgraph: string, url: string): (repeats: number) => SpanOptions {
  const { hostname, port, protocol } = new URL(url)
  const attributes = {
    'http.request.method': 'POST',
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    'service.peer.name': subgraph,
  }
  const first: SpanOptions = { kind: 'CLIENT', attributes }
  return (repeats) =>
    repeats === 0 ? first : { kind: 'CLIENT', attributes: { ...attributes, 'http.request.resend_count': repeats } }
}

const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
