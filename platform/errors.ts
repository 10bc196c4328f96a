/**
 * The closed registry of error codes. `docs/errors.md` explains each to clients; a test keeps the two equal.
 * Every edge maps all of them: GraphQL (`extensions.code`), gRPC (platform/grpc/status.ts) and HTTP (platform/http.ts).
 */
export const errorCodes = [
  // What the caller sent
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'QUERY_NOT_IN_SAFELIST',
  'OPERATION_TOO_COMPLEX',
  'PAYLOAD_TOO_LARGE',
  // Who the caller is
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'INVALID_CREDENTIALS',
  'EMAIL_TAKEN',
  // What the shop's rules say
  'NOT_FOUND',
  'INSUFFICIENT_STOCK',
  'TOO_MANY_UNPAID_ORDERS',
  'RESERVATION_ENDED',
  'ILLEGAL_TRANSITION',
  'VERSION_CONFLICT',
  'IDEMPOTENCY_KEY_REUSED',
  // What the system could not do now
  'IN_PROGRESS',
  'RATE_LIMITED',
  'OVERLOADED',
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** What a code carries beside its message, in GraphQL `extensions` and in gRPC metadata. */
export type ErrorDetails = {
  /** BAD_USER_INPUT: the path of the input at fault, such as `items.2.quantity`. */
  field?: string
  /** INSUFFICIENT_STOCK: the lines that are short. */
  items?: { productId: string; requested: number; available: number }[]
  /** SUBGRAPH_*: which service. */
  subgraph?: string
  /** Seconds after which the same request may succeed. */
  retryAfter?: number
  /** INTERNAL_SERVER_ERROR: names the log line that tells what happened. */
  errorId?: string
}

/** The same request may succeed later, without a change. */
const retryable: ReadonlySet<ErrorCode> = new Set([
  'IN_PROGRESS',
  'RATE_LIMITED',
  'OVERLOADED',
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNAVAILABLE',
])

/** A refusal that its receiver is meant to see. Every other error leaves the process as INTERNAL_SERVER_ERROR. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }

  get retryable(): boolean {
    return retryable.has(this.code)
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(value)
}

export function hasCode(error: unknown, ...codes: ErrorCode[]): error is ServiceError {
  return error instanceof ServiceError && codes.includes(error.code)
}

/** Refuses an input. `field` is its path within the input object. */
export function badInput(field: string, message: string): ServiceError {
  return new ServiceError('BAD_USER_INPUT', message, { field })
}

/** One wording for what does not exist and for what the caller may not see, so that nobody can tell them apart. */
export function notFound(thing: string): ServiceError {
  return new ServiceError('NOT_FOUND', `There is no such ${thing}.`)
}

/** Refuses an anonymous caller. */
export function signInFirst(): ServiceError {
  return new ServiceError('UNAUTHENTICATED', 'Sign in to do this.')
}
