import type { Addresses, Policy } from '#platform/balancer.ts'
import type { Departure } from '#platform/departure.ts'
import { type ErrorCode, ServiceError } from '#platform/errors.ts'
import { createFailover } from '#platform/failover.ts'
import type { HttpAnswer } from '#platform/http-exchange.ts'
import { createHttpPool, httpFailure, isLate, takesLeave } from '#platform/http-pool.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'
import { inSpanOf } from '#platform/telemetry/span.ts'
import type { CacheUse } from './cache/use.ts'
import { missing } from './forward/missing.ts'
import { type FetchVariables, type PlannedFetch, planFetch, representationsOf } from './forward/planned.ts'
import { type Response, readResponse } from './forward/response.ts'
import { type Changes, createSharing } from './forward/sharing.ts'
import { type Guard, isRefusal } from './resilience.ts'
import { markStale, type StaleMarks } from './stale/marks.ts'
import type { StaleAnswers } from './stale.ts'
import { fetchSpan } from './trace.ts'

/** What a fetch needs to know of the request it is made for. */
export type FetchContext = {
  readonly requestId: string
  readonly traceparent: string
  readonly tracestate?: string
  /** When the client's request is answered with what there is, in milliseconds since the epoch. */
  readonly deadline: number
  /** Tells when the client is gone, with the error that its fetches end with. */
  readonly signal?: Departure
  /** The signed principal. Absent when the gateway has no key. */
  readonly principalToken?: string
  /** What of the client's headers goes along. */
  readonly headers?: Readonly<Record<string, string>>
  /** Takes down what is answered from memory. Absent: nothing may be. */
  readonly stale?: StaleMarks
  /** Takes down what is answered from the cache. Absent: nothing may be. */
  readonly cached?: CacheUse
}

export type Sharing = {
  /** Read at each fetch, so that it may change. */
  readonly isOn: () => boolean
  /** Of all forwarders together. */
  readonly changes: Changes
}

export type ForwarderOptions = {
  /** The subgraph's name. */
  name: string
  /** GraphQL URLs of its instances. */
  urls: Addresses
  /** How fetches are shared among them. Default round-robin. */
  policy?: () => Policy
  /** Whether its instances are asked by HTTP/2. Default false. */
  http2?: boolean | undefined
  /** Milliseconds that a fetch may take, with its repeat. */
  timeout: number
  /** Told of each fetch, and of the seconds it took, whatever came of it. */
  onFetch?: (subgraph: string, seconds: number) => void
  /** Told of each fetch that came to nothing, also of one that was not made. */
  onFailure?: (subgraph: string, code: ErrorCode) => void
  /** What fetches go through. Absent: all are made. */
  guard?: Guard | undefined
  /** Queries that are the same, on their way at the same time, are made once. Absent: each is made. */
  sharing?: Sharing | undefined
  /** What answers when a fetch of entities fails. Absent: nothing. */
  stale?: ReturnType<StaleAnswers['of']> | undefined
  log: Log
}

/** Bytes of a response, at the most. */
const responseLimit = 16 * 1024 * 1024
/** The simplest query. */
const simplest = planFetch({ operation: '{__typename}', operationKind: 'query' })
const none: FetchVariables = { text: '{}', values: {} }

/**
 * Fetches from one subgraph, from one of its instances and, when that fails on the way, once more: a query always, a mutation
 * only when nothing was sent. A fetch that fails is an answer without data and with an error at each field it was for, so
 * that the rest of the client's operation is answered and the client sees what is missing.
 */
export function createForwarder(options: ForwarderOptions) {
  const { name, urls, policy, http2 = false, timeout, onFetch, onFailure, guard, sharing, stale, log } = options
  const share = sharing && createSharing<Answered>({ name, changes: sharing.changes })
  const failover = createFailover({
    addresses: urls,
    ...(policy && { policy }),
    open(url) {
      const { origin, pathname, search } = new URL(url)
      const pool = createHttpPool(origin, { answerLimit: responseLimit, http2 })
      return { path: `${pathname}${search}`, pool, span: fetchSpan(name, url) }
    },
    close: ({ pool }) => pool.close(),
    failureOf: httpFailure,
    noInstance: () => unavailable(name),
  })

  async function send(fetch: PlannedFetch, variables: FetchVariables, context: FetchContext): Promise<Answered> {
    const end = Math.min(Date.now() + timeout, context.deadline)
    const timeLeft = () => end - Date.now()
    const body = `${fetch.head}${variables.text}}`
    const entities = representationsOf(variables)?.length
    let attempts = 0
    try {
      return await failover.call(
        async ({ pool, path, span }, onLeave) => {
          const time = timeLeft()
          if (time <= 0) throw timedOut(name)
          return inSpanOf(context, 'POST', span(attempts++), async (context, recorded) => {
            const headers = headersOf(context, time)
            // A mutation that was sent is left to finish.
            const signal = fetch.isQuery ? context.signal : undefined
            const began = performance.now()
            const answer = await pool.exchange({ path, headers, body, time, signal })
            recorded?.setAttribute('http.response.status_code', answer.status)
            if (takesLeave(answer.headers)) onLeave()
            return answered(answer, entities, began)
          })
        },
        { repeatable: fetch.isQuery, timeLeft: () => (context.signal?.aborted ? 0 : timeLeft()) },
      )
    } catch (error) {
      if (error instanceof ServiceError) throw error
      throw isLate(error) ? timedOut(name, error) : unavailable(name, error)
    }
  }

  async function measured(fetch: PlannedFetch, variables: FetchVariables, context: FetchContext): Promise<Answered> {
    const start = performance.now()
    try {
      return await send(fetch, variables, context)
    } catch (error) {
      if (!context.signal?.aborted) log.warn('fetch failed', { subgraph: name, error })
      throw error
    } finally {
      onFetch?.(name, (performance.now() - start) / 1_000)
    }
  }

  const guarded: typeof measured = (fetch, variables, context) =>
    guard ? guard.fetch(context, () => measured(fetch, variables, context)) : measured(fetch, variables, context)

  /** Makes a fetch, or waits for one that is the same. */
  const made: typeof measured = (planned, variables, context) => {
    if (!planned.isQuery) return guarded(planned, variables, context).finally(() => sharing?.changes.onEnd())
    if (!share || !sharing.isOn()) return guarded(planned, variables, context)
    const end = Math.min(Date.now() + timeout, context.deadline)
    return share(keyOf(planned, variables, context), { end, signal: context.signal }, (signal) =>
      guarded(planned, variables, { ...context, signal }),
    )
  }

  async function fetch(planned: PlannedFetch, variables: FetchVariables, context: FetchContext): Promise<Response> {
    const { headers, signal, stale: marks } = context
    const entityFetch = { query: planned.operation, variables: variables.values, headers }
    let response: ReturnType<Answered['take']>
    try {
      response = (await made(planned, variables, context)).take()
    } catch (error) {
      if (error instanceof ServiceError && !signal?.aborted) onFailure?.(name, error.code)
      const usable = marks && !signal?.aborted && !isRefusal(error)
      const recalled = usable ? stale?.recall(entityFetch, performance.now()) : undefined
      const { data, errors } = missing(planned, variables, error as ServiceError, recalled)
      return { data, errors: recalled && marks ? [...errors, ...markStale(marks, name, recalled)] : errors }
    }
    stale?.remember(entityFetch, response, response.began)
    return response
  }

  const check = (context: FetchContext) => send(simplest, none, context)
  return {
    name,
    urls,
    /** Asks the subgraph. Rejects never: what fails is an answer with errors. */
    fetch,
    /** Rejects when the subgraph does not answer the simplest query. */
    check: guard ? guard.confirming(check) : check,
    close: failover.close,
  }
}

export type Forwarder = ReturnType<typeof createForwarder>

/** An answer, of which each who takes it has a copy of its own: what is joined to it is joined to no other's. */
type Answered = { take(): Response & { began: number } }

function answered(answer: HttpAnswer, entities: number | undefined, began: number): Answered {
  let first: Response | undefined = readResponse(answer, entities)
  return {
    take() {
      const response = first ?? readResponse(answer, entities)
      first = undefined
      return Object.assign(response, { began })
    },
  }
}

/** All that a subgraph's answer may depend on: who asks, what of the client's headers goes along, and what is asked. */
function keyOf({ head }: PlannedFetch, { text }: FetchVariables, { principalToken, headers }: FetchContext): string {
  const forwarded = Object.keys(headers ?? {}).length > 0 ? JSON.stringify(headers) : ''
  return `${principalToken ?? ''}\n${forwarded}\n${head}${text}`
}

/** Names and values in turn. */
function headersOf(context: FetchContext, time: number): string[] {
  const { requestId, traceparent, tracestate, principalToken, headers } = context
  const own = ['content-type', 'application/json', 'accept', 'application/json', 'x-request-id', requestId]
  own.push('x-timeout-ms', String(time), 'traceparent', traceparent)
  if (tracestate) own.push('tracestate', tracestate)
  if (principalToken) own.push('x-principal', principalToken)
  for (const name in headers) own.push(name, headers[name] ?? '')
  return own
}
