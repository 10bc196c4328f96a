import { AsyncLocalStorage } from 'node:async_hooks'
import { randomFillSync } from 'node:crypto'
import { passTracestate } from './tracestate.ts'

/** What travels with a request, an RPC or an event through a process and on to the next. */
export type RequestContext = {
  /** W3C Trace Context of the work at hand, as it is passed on. */
  readonly traceparent: string
  /** What other tracing systems said of the trace, for those that come after. */
  readonly tracestate?: string
  /** Given by the client or made by the gateway; in every log line. */
  readonly requestId?: string
  /** The gateway's signed principal, passed on unchanged to peers that are called for the same user. */
  readonly principalToken?: string
  /** When the caller stops waiting, in milliseconds since the epoch. */
  readonly deadline?: number
}

const storage = new AsyncLocalStorage<RequestContext>()

export function currentContext(): RequestContext | undefined {
  return storage.getStore()
}

export function runWithContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work)
}

/** Milliseconds until the caller stops waiting, but never more than `limit`. Can be negative. */
export function timeLeft(limit: number, now = Date.now()): number {
  const deadline = currentContext()?.deadline
  return deadline === undefined ? limit : Math.min(limit, deadline - now)
}

/** Trace headers as they came: one value, or all of several. */
export type TraceHeaders = {
  readonly traceparent?: string | readonly string[] | undefined
  readonly tracestate?: string | readonly string[] | undefined
}

/** A comma stands between the values of repeated headers, of which there may be none. */
const traceparentShape = /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[^,]*)?$/

/** A place in a trace, as a caller tells of it. */
export type TracePlace = {
  readonly traceId: string
  readonly spanId: string
  /** Whether the spans of the trace are recorded. */
  readonly sampled: boolean
  readonly tracestate?: string
}

/** What a context says of the trace. */
export type Trace = Pick<RequestContext, 'traceparent' | 'tracestate'>

/**
 * Where the caller stands in its trace. Undefined when it sent no `traceparent` that is valid; what else came with an invalid
 * one is not read. https://www.w3.org/TR/trace-context-1/
 */
export function readTrace(headers: TraceHeaders): TracePlace | undefined {
  const [, version, traceId, spanId, flags = '', rest] = traceparentShape.exec(joined(headers.traceparent)) ?? []
  // Version 00 ends after the flags; later ones may go on; ff is forbidden.
  const valid = version === '00' ? rest === undefined : version !== 'ff'
  if (!traceId || !spanId || !valid) return undefined
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  const tracestate = headers.tracestate && passTracestate(joined(headers.tracestate))
  return { traceId, spanId, sampled, ...(tracestate && { tracestate }) }
}

/** A span of our own within the caller's trace, or of a new trace, which is not sampled, when there is none. */
export function continueTrace(headers: TraceHeaders): Trace {
  return childOf(readTrace(headers), false)
}

/** A span of our own that nobody records, under a place in a trace or in a new one. */
export function childOf(place: TracePlace | undefined, sampled: boolean): Trace {
  const { traceId = randomId(16), sampled: recorded = sampled, tracestate } = place ?? {}
  return traceOf({ traceId, spanId: randomId(8), sampled: recorded, ...(tracestate && { tracestate }) })
}

/** A place in a trace as it is passed on. */
export function traceOf({ traceId, spanId, sampled, tracestate }: TracePlace): Trace {
  const traceparent = `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
  return tracestate ? { traceparent, tracestate } : { traceparent }
}

/** Whether the spans of a trace of ours are recorded. */
export function isSampled({ traceparent }: Trace): boolean {
  return traceparent.charCodeAt(traceparent.length - 1) === 49
}

function joined(values: string | readonly string[] = ''): string {
  return typeof values === 'string' ? values : values.join(',')
}

/** Random bytes that are not yet used. One call for many ids costs a tenth of one for each. */
const pool = Buffer.alloc(4_096)
let used = pool.length

function randomId(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

export function traceId(traceparent: string): string {
  return traceparent.slice(3, 35)
}
