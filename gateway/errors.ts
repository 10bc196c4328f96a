import { randomUUID } from 'node:crypto'
import { unwrapResolverError } from '@apollo/server/errors'
import type { GraphQLFormattedError } from 'graphql'
import { type ErrorDetails, isErrorCode, ServiceError } from '#platform/errors.ts'
import { graphqlError, httpStatus } from '#platform/http.ts'
import type { Log } from '#platform/log.ts'

/** Characters of a message that is sent. What repeats something that a client sent may be longer. */
const longestMessage = 500

/** A request or an operation that is refused as a whole. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly errors: readonly GraphQLFormattedError[]
  /** Of HTTP. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    errors: readonly GraphQLFormattedError[],
    status: number,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(errors[0]?.message)
    this.errors = errors.map((error) =>
      error.message.length > longestMessage
        ? { ...error, message: `${error.message.slice(0, longestMessage)}...` }
        : error,
    )
    this.status = status
    this.headers = headers
  }
}

/** A refusal for one reason. */
export function refusalOf(
  error: ServiceError,
  status = httpStatus[error.code],
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const { retryAfter } = error.details
  const wait = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  return new Refusal([graphqlError(error)], status, { ...wait, ...headers })
}

/** What a code may carry. Anything else that an error holds stays inside. */
const details: readonly (keyof ErrorDetails)[] = ['field', 'items', 'subgraph', 'retryAfter', 'errorId']

/**
 * What of an error a client sees: its words, code, place and the details that belong to the code. An error without a
 * code of ours is logged and leaves as INTERNAL_SERVER_ERROR with the id of its log line, unless a subgraph gave it a
 * code of its own and so meant it to be seen.
 */
export function createErrorFormatter({ log }: { log: Log }) {
  return function formatError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
    const { message, locations, path, extensions = {} } = formatted
    const place = { ...(locations && { locations }), ...(path && { path }) }
    const { code, serviceName, errorId } = extensions
    const meant =
      isErrorCode(code) ||
      (serviceName !== undefined && typeof code === 'string' && code !== 'DOWNSTREAM_SERVICE_ERROR')
    if (meant && code !== 'INTERNAL_SERVER_ERROR') {
      const kept = details.filter((name) => extensions[name] !== undefined).map((name) => [name, extensions[name]])
      return { message, ...place, extensions: { code, ...Object.fromEntries(kept) } }
    }
    const masked = new ServiceError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.', {
      errorId: typeof errorId === 'string' ? errorId : randomUUID(),
    })
    // A subgraph that gave the id has logged the error already.
    if (errorId === undefined)
      log.error('internal error', { ...masked.details, path, error: unwrapResolverError(error) })
    return { ...graphqlError(masked), ...place }
  }
}
