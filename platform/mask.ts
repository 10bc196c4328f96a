import { randomUUID } from 'node:crypto'
import { databaseFailure, isPoolRefusal } from './database/failures.ts'
import { ServiceError } from './errors.ts'
import type { Log } from './log.ts'

/**
 * What of an error may leave the process. A refusal leaves as it is. A database that is busy, too slow or away becomes OVERLOADED
 * or SUBGRAPH_UNAVAILABLE, text that it cannot keep BAD_USER_INPUT. Anything else is logged and leaves as
 * INTERNAL_SERVER_ERROR with the id of its log line.
 */
export function createMask({ service, log }: { service: string; log: Log }) {
  return function mask(error: unknown): ServiceError {
    if (error instanceof ServiceError && !isUnexplained(error)) return error
    const failure = databaseFailure(error)
    if (failure === 'overloaded') {
      // What the pool refuses is counted there, and there may be very much of it.
      if (!isPoolRefusal(error)) log.warn('database overloaded', { error })
      return new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: service, retryAfter: 1 })
    }
    if (failure === 'unavailable') {
      log.error('database unavailable', { error })
      return unavailable(service)
    }
    if (failure === 'unstorable')
      return new ServiceError('BAD_USER_INPUT', 'The input holds characters that cannot be kept.')
    const errorId = randomUUID()
    log.error('internal error', { errorId, error })
    return new ServiceError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.', { errorId })
  }
}

/** A peer that failed without a log line that tells why. */
function isUnexplained({ code, details }: ServiceError): boolean {
  return code === 'INTERNAL_SERVER_ERROR' && details.errorId === undefined
}

export type Mask = ReturnType<typeof createMask>

/** A service that could not be reached. `retryAfter`: seconds to wait; by default the time that a restart takes. */
export function unavailable(subgraph: string, cause?: unknown, retryAfter = 1): ServiceError {
  return new ServiceError(
    'SUBGRAPH_UNAVAILABLE',
    `The ${subgraph} service is not available.`,
    { subgraph, retryAfter },
    { cause },
  )
}

/** A service that did not answer before the deadline. Whether it did what was asked is not known. */
export function timedOut(subgraph: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'SUBGRAPH_TIMEOUT',
    `The ${subgraph} service did not answer in time.`,
    { subgraph, retryAfter: 1 },
    { cause },
  )
}
