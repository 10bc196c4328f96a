import { SpanStatusCode } from '@opentelemetry/api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { readTrace, type Trace, type TracePlace, traceId } from '../context.ts'
import { enter } from './span.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The trace of a request that was let in so far. */
    trace?: Trace
  }
}

export function traceIdOf({ trace }: FastifyRequest): string | undefined {
  return trace && traceId(trace.traceparent)
}

export type RequestPlace = {
  /** Where the caller stands in its trace. Default: what the headers say. */
  parent?: TracePlace | undefined
  links?: readonly TracePlace[]
}

/**
 * Begins the trace of a request, or goes on with the caller's. Its span ends when the answer is sent, or when the client is gone.
 * Of the address it keeps the route, since the rest may hold what a client asks for.
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans
 */
export function traceRequest(request: FastifyRequest, { raw }: FastifyReply, place?: RequestPlace): Trace {
  const { method, protocol, routeOptions, headers } = request
  const { traceparent, tracestate } = headers
  const route = routeOptions.url ?? ''
  const { trace, span } = enter(place ? place.parent : readTrace({ traceparent, tracestate }), `${method} ${route}`, {
    kind: 'SERVER',
    attributes: { 'http.request.method': method, 'http.route': route, 'url.scheme': protocol },
    ...(place?.links && { links: place.links }),
  })
  request.trace = trace
  if (span) {
    raw.once('close', () => {
      if (raw.writableFinished) span.setAttribute('http.response.status_code', raw.statusCode)
      else span.setAttribute('error.type', 'aborted')
      if (raw.statusCode >= 500) {
        span.setAttribute('error.type', String(raw.statusCode)).setStatus({ code: SpanStatusCode.ERROR })
      }
      span.end()
    })
  }
  return trace
}
