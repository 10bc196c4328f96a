import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { errors, Pool } from 'undici'
import type { z } from 'zod'
import { timeLeft } from './context.ts'
import { hasCode } from './errors.ts'
import { timedOut, unavailable } from './mask.ts'

export type HttpClientOptions = {
  /** What the other side is called in errors. */
  name: string
  /** Where it is: `https://host`, or with a path that begins the path of every call. */
  url: string
  /** Sent with every call. */
  headers?: Record<string, string>
  /** Milliseconds that a call may take with all its attempts, unless the caller's own deadline is nearer. Default 5000. */
  timeout?: number
  /** Bytes of an answer, at the most. Default 1 MiB. */
  answerLimit?: number
  /** Connections at once. Default 20. */
  connections?: number
  /** How its name is resolved, for each connection. Default: as the machine does. A URL with an address resolves none. */
  lookup?: LookupFunction
  /** PEM of the authorities that its certificate is believed for. Default: those that Node knows. */
  ca?: string
}

export type HttpCall = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  headers?: Record<string, string>
  /** Sent as it is. */
  body?: string | Uint8Array
  /** Whether a repeat does no harm: then a call that failed on the way, or met a busy server, is made again. */
  idempotent: boolean
  /** Ends the call. It rejects with the signal's reason. */
  signal?: AbortSignal
}

/** The other side understood the call and said no: a status of 3xx or 4xx. A repeat is refused again. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number
  /** What it said, not checked. It stays out of the message, since messages are logged. */
  readonly body: string

  constructor(peer: string, status: number, body: string) {
    super(`${peer} refused with status ${status}.`)
    this.status = status
    this.body = body
  }
}

/** The other side said "not now". */
class Busy extends Error {
  override readonly name = 'Busy'
  /** Seconds that it asks to wait. */
  readonly seconds: number

  constructor(peer: string, status: number, seconds: number) {
    super(`${peer} answered with status ${status}.`)
    this.seconds = seconds
  }
}

const mostAttempts = 3
/** Milliseconds before the second attempt, doubled for each next one. Half of a pause is random. */
const firstPause = 100
/** Seconds that another side may ask us to wait, at the most: a day. */
const longestWait = 86_400
/** Statuses that say "not now". */
const busy = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * Calls one other party over HTTP. Every call has a deadline and its answer a bound; redirects are not followed. Only
 * idempotent calls are made more than once, with pauses in between, no sooner than the other side asks, and never beyond
 * the deadline.
 *
 * Throws HttpRefusal; SUBGRAPH_TIMEOUT when there was no answer in time and SUBGRAPH_UNAVAILABLE when the other side could
 * not be reached or said "not now", with the seconds it asks to wait: whether it did what was asked is not known then; Error
 * for an answer that is too large or not what `answer` says.
 */
export function createHttpClient(options: HttpClientOptions) {
  const { name, url, headers, timeout = 5_000, answerLimit = 1024 * 1024, connections = 20, lookup, ca } = options
  const { origin, pathname } = new URL(url)
  const base = pathname.replace(/\/$/, '')
  const connect = { ...(lookup && { lookup }), ...(ca && { ca }) }
  const pool = new Pool(origin, { connections, maxResponseSize: answerLimit, connect })

  async function attempt(call: HttpCall, deadline: number): Promise<string> {
    const time = deadline - Date.now()
    if (time <= 0) throw timedOut(name)
    const late = AbortSignal.timeout(time)
    let answer: { status: number; text: string; retryAfter: string | string[] | undefined }
    try {
      const {
        statusCode,
        headers: told,
        body,
      } = await pool.request({
        method: call.method,
        path: `${base}${call.path}`,
        headers: { ...headers, ...call.headers },
        body: call.body ?? null,
        signal: call.signal ? AbortSignal.any([late, call.signal]) : late,
      })
      answer = { status: statusCode, text: await body.text(), retryAfter: told['retry-after'] }
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason
      if (late.aborted || error instanceof errors.ConnectTimeoutError) throw timedOut(name, error)
      if (error instanceof errors.ResponseExceededMaxSizeError) {
        throw new Error(`The answer of ${name} is larger than ${answerLimit} bytes.`, { cause: error })
      }
      throw unavailable(name, error)
    }
    if (busy.has(answer.status)) {
      const seconds = secondsFrom(answer.retryAfter)
      throw unavailable(name, new Busy(name, answer.status, seconds ?? 0), seconds)
    }
    if (answer.status < 200 || answer.status >= 300) throw new HttpRefusal(name, answer.status, answer.text)
    return answer.text
  }

  /** One attempt after another, as far as a repeat may help and there is time. */
  async function send(call: HttpCall): Promise<string> {
    const deadline = Date.now() + timeLeft(timeout)
    for (let made = 1; ; made++) {
      try {
        return await attempt(call, deadline)
      } catch (error) {
        if (!call.idempotent || made >= mostAttempts || !hasCode(error, 'SUBGRAPH_UNAVAILABLE')) throw error
        const asked = error.cause instanceof Busy ? error.cause.seconds * 1_000 : 0
        const pause = Math.max(asked, firstPause * 2 ** (made - 1) * (0.5 + Math.random() / 2))
        if (Date.now() + pause >= deadline) throw error
        await sleep(pause)
        if (call.signal?.aborted) throw call.signal.reason
      }
    }
  }

  return {
    /** Makes a call and returns what the answer says. */
    async ask<Answer extends z.ZodType>(call: HttpCall & { answer: Answer }): Promise<z.output<Answer>> {
      return parse(name, await send(call), call.answer)
    },
    /** Makes a call whose answer says no more than that it succeeded. */
    async tell(call: HttpCall): Promise<void> {
      await send(call)
    },
    close: () => pool.close(),
  }
}

export type HttpClient = ReturnType<typeof createHttpClient>

/** What `Retry-After` says, in seconds. https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
function secondsFrom(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1_000)
  return seconds > 0 ? Math.min(seconds, longestWait) : undefined
}

function parse<Answer extends z.ZodType>(name: string, text: string, answer: Answer): z.output<Answer> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`The answer of ${name} is not JSON.`)
  }
  const parsed = answer.safeParse(value)
  if (parsed.success) return parsed.data
  // Paths and rules, not values: messages are logged.
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`)
  throw new Error(`The answer of ${name} is not what it should be: ${faults.join(', ')}.`)
}
