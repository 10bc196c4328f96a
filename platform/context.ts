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
const traceparentShape = /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-[^,]*)?$/

/**
 * A span of our own within the caller's trace, or of a new trace when the caller sent none that is valid; what else came
 * with an invalid one is not read. https://www.w3.org/TR/trace-context-1/
 */
export function continueTrace(headers: TraceHeaders): Pick<RequestContext, 'traceparent' | 'tracestate'> {
  const [, version, callersTrace, flags = '', rest] = traceparentShape.exec(joined(headers.traceparent)) ?? []
  // Version 00 ends after the flags; later ones may go on; ff is forbidden.
  const valid = version === '00' ? rest === undefined : version !== 'ff'
  if (!callersTrace || !valid) return { traceparent: `00-${randomId(16)}-${randomId(8)}-00` }
  const sampled = Number.parseInt(flags, 16) & 1
  const traceparent = `00-${callersTrace}-${randomId(8)}-0${sampled}`
  const tracestate = headers.tracestate && passTracestate(joined(headers.tracestate))
  return tracestate ? { traceparent, tracestate } : { traceparent }
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
