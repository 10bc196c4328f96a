import type { IncomingHttpHeaders } from 'node:http'
import { buildConnector, errors, Pool } from 'undici'
import { boundAnswers } from './answer-bound.ts'
import type { Failure } from './failover.ts'
import { exchange, type HttpAnswer, type HttpExchange, Late } from './http-exchange.ts'

/** Milliseconds that a connection may take to be made. */
const connectLimit = 1_000
/**
 * Milliseconds that a connection is kept on which nothing is asked, whatever the other side would allow: less than an
 * instance that stops goes on serving (SHUTDOWN_DELAY). Until it closes its idle connections, each of ours was either used
 * and ended by the answer, or closed by us, so that no request meets a connection that is just being closed.
 */
const keptIdle = 1_000

/** Answers of the largest size that may come in at once, and the share of that size that each may always have. */
const largeAnswers = 8
const smallShare = 1 / 64

/** There was no connection to an instance: nothing was sent to it. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected'
}

/** An instance, or something before it, answered that it cannot answer now: 502, 503 or 504. */
export class NotPassedOn extends Error {
  override readonly name = 'NotPassedOn'
}

const passing = new Set([502, 503, 504])

/** Throws NotPassedOn for a status that says that the call did not get through. */
export function refusePassing(status: number): void {
  if (passing.has(status)) throw new NotPassedOn(`status ${status}`)
}

export type HttpPoolOptions = {
  /** Connections at once. Default: one for each call under way, which whoever calls bounds. */
  connections?: number
  /**
   * HTTP/2: over TLS where the other side has it too, else HTTP/1.1; without TLS by prior knowledge (RFC 9113, section 3.3), and then
   * the other side must speak it. Default false: HTTP/1.1.
   */
  http2?: boolean
  /** Bytes of an answer, at the most. All that are being read at once may have eight times as many. */
  answerLimit: number
}

/**
 * Connections to one instance. A connection that cannot be made is NotConnected, whatever the reason; undici sends a request
 * only over a connection that is there, so that any other failure may be one of a request that was carried out. A connection
 * carries one request at a time, or with HTTP/2 as many as the other side allows.
 */
export function createHttpPool(origin: string, { connections, http2 = false, answerLimit }: HttpPoolOptions) {
  // Undici reads it in both places.
  const useH2c = http2 && origin.startsWith('http:')
  const http2Options = { allowH2: http2, ...(useH2c && { useH2c, h2Options: { useH2c } }) }
  const connect = buildConnector({ timeout: connectLimit, preferH2: http2, ...http2Options })
  const pool = new Pool(origin, {
    connections: connections ?? null,
    maxResponseSize: answerLimit,
    keepAliveTimeout: keptIdle,
    keepAliveMaxTimeout: keptIdle,
    pipelining: 1,
    ...http2Options,
    // Each call has a time of its own, for all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options, callback) =>
      connect(options, (...[error, socket]) =>
        error
          ? callback(new NotConnected(`no connection to ${origin}`, { cause: error }), null)
          : callback(null, socket as Exclude<typeof socket, null>),
      ),
  })
  const bound = boundAnswers({ total: largeAnswers * answerLimit, each: answerLimit * smallShare })
  return {
    /** Posts, and reads the answer. */
    exchange: (call: HttpExchange): Promise<HttpAnswer> => exchange(pool, bound, call),
    /** Resolves when every call has ended. */
    close: (): Promise<void> => pool.close(),
  }
}

export type HttpPool = ReturnType<typeof createHttpPool>

/** Whether an answer says that its instance takes no further calls on this connection: it stops. */
export function takesLeave({ connection }: IncomingHttpHeaders): boolean {
  return connection === 'close'
}

/** Why a call by a pool failed. */
export function httpFailure(error: unknown): Failure {
  if (error instanceof NotConnected) return 'refused'
  if (isLate(error)) return 'ended'
  if (error instanceof NotPassedOn || error instanceof errors.SocketError) return 'broken'
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && brokenConnections.has(code) ? 'broken' : 'answered'
}

/** Whether a call ended because its time was over. */
export function isLate(error: unknown): boolean {
  return error instanceof Late
}

const brokenConnections = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'])
