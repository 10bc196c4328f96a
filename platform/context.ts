import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'

/** What travels with a request, an RPC or an event through a process and on to the next. */
export type RequestContext = {
  /** W3C Trace Context of the work at hand, as it is passed on. */
  readonly traceparent: string
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

const traceparentShape = /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/

/** A span of our own within the caller's trace, or of a new trace when the caller sent none that is valid. */
export function continueTrace(traceparent: string | undefined): string {
  const [, version, callersTrace, flags, rest] = traceparentShape.exec(traceparent ?? '') ?? []
  // Version 00 ends after the flags; later ones may go on; ff is forbidden.
  const valid = version === '00' ? rest === undefined : version !== 'ff'
  const traceId = (valid && callersTrace) || randomBytes(16).toString('hex')
  const sampled = valid && flags ? Number.parseInt(flags, 16) & 1 : 0
  return `00-${traceId}-${randomBytes(8).toString('hex')}-0${sampled}`
}

export function traceId(traceparent: string): string {
  return traceparent.slice(3, 35)
}
