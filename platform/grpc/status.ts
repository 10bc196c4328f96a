import { Metadata, type ServiceError as RpcError, status } from '@grpc/grpc-js'
import { type ErrorCode, type ErrorDetails, isErrorCode, ServiceError } from '../errors.ts'
import { timedOut, unavailable } from '../mask.ts'
import { richStatus } from './rich-status.ts'

/** The gRPC status of every error code. https://grpc.io/docs/guides/status-codes/ */
export const grpcStatus: Record<ErrorCode, status> = {
  BAD_REQUEST: status.INVALID_ARGUMENT,
  BAD_USER_INPUT: status.INVALID_ARGUMENT,
  GRAPHQL_PARSE_FAILED: status.INVALID_ARGUMENT,
  GRAPHQL_VALIDATION_FAILED: status.INVALID_ARGUMENT,
  OPERATION_RESOLUTION_FAILURE: status.INVALID_ARGUMENT,
  PERSISTED_QUERY_NOT_FOUND: status.INVALID_ARGUMENT,
  PERSISTED_QUERY_NOT_SUPPORTED: status.INVALID_ARGUMENT,
  QUERY_NOT_IN_SAFELIST: status.PERMISSION_DENIED,
  OPERATION_TOO_COMPLEX: status.INVALID_ARGUMENT,
  PAYLOAD_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  FORBIDDEN: status.PERMISSION_DENIED,
  INVALID_CREDENTIALS: status.UNAUTHENTICATED,
  EMAIL_TAKEN: status.ALREADY_EXISTS,
  NOT_FOUND: status.NOT_FOUND,
  INSUFFICIENT_STOCK: status.FAILED_PRECONDITION,
  TOO_MANY_UNPAID_ORDERS: status.FAILED_PRECONDITION,
  RESERVATION_ENDED: status.FAILED_PRECONDITION,
  ILLEGAL_TRANSITION: status.FAILED_PRECONDITION,
  VERSION_CONFLICT: status.ABORTED,
  IDEMPOTENCY_KEY_REUSED: status.FAILED_PRECONDITION,
  IN_PROGRESS: status.ABORTED,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  SUBGRAPH_TIMEOUT: status.DEADLINE_EXCEEDED,
  SUBGRAPH_UNAVAILABLE: status.UNAVAILABLE,
  INTERNAL_SERVER_ERROR: status.INTERNAL,
}

/** Trailers that carry a refusal whole, beside the status that every gRPC client understands. */
const codeTrailer = 'error-code'
const detailsTrailer = 'error-details-bin'
/** The same for clients that are not ours. */
const standardTrailer = 'grpc-status-details-bin'
/** Characters of a message. Trailers that are too large for a peer would end the call without any of them. */
const longestMessage = 1_000

/** Refuses the calling service itself, and not the user behind the call. It carries no code that could be taken for a word to that user. */
export class CallerRefused extends ServiceError {}

export function toRpcError(error: ServiceError): Partial<RpcError> {
  const { code, message, details } = error
  const metadata = new Metadata()
  if (!(error instanceof CallerRefused)) metadata.set(codeTrailer, code)
  const shown = message.slice(0, longestMessage)
  metadata.set(detailsTrailer, Buffer.from(JSON.stringify(details)))
  metadata.set(standardTrailer, richStatus(grpcStatus[code], { code, message: shown, details }))
  return { code: grpcStatus[code], details: shown, metadata }
}

/** Whether it is the peer's own word, and not what gRPC says of a peer that could not answer. */
export function isRefusal({ metadata }: RpcError): boolean {
  return isErrorCode(metadata?.get(codeTrailer)[0])
}

/** Whether the peer, or something before it, turned away the service that calls: nothing was carried out. */
export function isCallerRefusal(error: RpcError): boolean {
  return !isRefusal(error) && (error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED)
}

/** Whether the connection ended before the answer. A server that stops in the middle of a call cancels it, which we never do. */
export function isCutOff({ code }: RpcError): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED
}

/** A peer's failure as our own error: its refusal as it was, or what gRPC says of a peer that could not answer. */
export function fromRpcError(peer: string, error: RpcError): ServiceError {
  const [code] = error.metadata.get(codeTrailer)
  if (isErrorCode(code)) return new ServiceError(code, error.details, detailsOf(error.metadata), { cause: error })
  if (isCutOff(error) || isCallerRefusal(error)) return unavailable(peer, error)
  if (error.code === status.DEADLINE_EXCEEDED) return timedOut(peer, error)
  return new ServiceError('INTERNAL_SERVER_ERROR', `The call to ${peer} failed.`, {}, { cause: error })
}

function detailsOf(metadata: Metadata): ErrorDetails {
  const [encoded] = metadata.get(detailsTrailer)
  return encoded ? (JSON.parse(encoded.toString()) as ErrorDetails) : {}
}
