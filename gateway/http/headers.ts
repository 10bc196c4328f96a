import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { integer, list } from '#platform/env.ts'

/** Headers that the gateway makes itself for each fetch, or that belong to one connection (RFC 9110, section 7.6.1). */
const own = new Set([
  ...['authorization', 'cookie', 'host', 'content-type', 'content-length', 'content-encoding', 'accept'],
  ...['accept-encoding', 'expect', 'forwarded', 'via', 'traceparent', 'tracestate', 'baggage'],
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
])
const ownPrefixes = ['x-principal', 'x-user-', 'x-forwarded-', 'x-request-id', 'x-timeout-ms', 'proxy-', 'sec-']

export const headerSettings = {
  /** Headers of clients that subgraphs get too. No one that says who the client is can be named. Default: none. */
  FORWARD_HEADERS: list
    .pipe(
      z.array(
        z
          .string()
          .regex(/^[\w!#$%&'*+.^`|~-]+$/, 'holds what is no header name')
          .toLowerCase()
          .refine(
            (name) => !own.has(name) && !ownPrefixes.some((prefix) => name.startsWith(prefix)),
            'holds a header that clients may not set',
          ),
      ),
    )
    .default([]),
  /** Seconds for which browsers are told to come by HTTPS alone. 0 for not at all. Default: a year in production, else 0. */
  HSTS_MAX_AGE: integer(0, 10 * 365 * 86_400).optional(),
}

/** What every answer says to browsers: it is data and no page. */
export function securityHeaders(hstsMaxAge: number): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    ...(hstsMaxAge > 0 && { 'strict-transport-security': `max-age=${hstsMaxAge}; includeSubDomains` }),
  }
}

/** The client's request id, where it is one that can stand in a log; else a new one. */
export function requestIdOf({ headers }: FastifyRequest): string {
  const id = headers['x-request-id']
  return typeof id === 'string' && /^[\w.-]{1,128}$/.test(id) ? id : randomUUID()
}

/** Those of the client's headers that go on to subgraphs. Characters that no header may hold were refused by Node. */
export function forwardedHeaders(
  { headers }: FastifyRequest,
  names: readonly string[],
): Readonly<Record<string, string>> {
  if (names.length === 0) return none
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
}

const none: Readonly<Record<string, string>> = Object.freeze({})
