/**
 * What a failed database call means. Prisma's codes: https://www.prisma.io/docs/orm/reference/error-reference,
 * PostgreSQL's: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */

/**
 * `overloaded`: no connection was free in time, or a statement or a transaction took too long, of which nothing was done.
 * `unavailable`: the server cannot be reached or is going down. `unstorable`: text that holds what the database has no place for, such as NUL.
 */
export function databaseFailure(error: unknown): 'overloaded' | 'unavailable' | 'unstorable' | undefined {
  const { code, message } = shape(error)
  const state = sqlState(error) ?? ''
  if (isPoolRefusal(error) || ['P2024', 'P2028'].includes(code) || ['53300', '57014'].includes(state))
    return 'overloaded'
  if (message === 'timeout exceeded when trying to connect') return 'overloaded'
  if (['P1001', 'P1002', 'P1008', 'P1017', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code))
    return 'unavailable'
  if (['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout'].includes(driverCause(error)?.kind ?? ''))
    return 'unavailable'
  if (state.startsWith('08') || /^57P0[1235]$/.test(state)) return 'unavailable'
  if (lostConnection.test(message)) return 'unavailable'
  if (state === '22021' || state === '22P05') return 'unstorable'
  return undefined
}

/** True when our own pool had no connection in time (platform/database/pool.ts). Prisma keeps the code of its error. */
export function isPoolRefusal(error: unknown): boolean {
  return shape(error).code === 'OVERLOADED'
}

/** True when the same call may succeed later: the server is away or busy, or another transaction was in the way. */
export function isTransientDatabaseError(error: unknown): boolean {
  const { code } = shape(error)
  const state = sqlState(error) ?? ''
  const failure = databaseFailure(error)
  return (
    failure === 'overloaded' ||
    failure === 'unavailable' ||
    ['P2034', 'P1011'].includes(code) ||
    // Serialization failure and deadlock, insufficient resources, lock timeout.
    /^(40|53|55P03)/.test(state)
  )
}

/** True when the database refused data: it violates a constraint or cannot be stored. A repeat is refused again. */
export function isDataRefusal(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? '')
}

export function isUniqueViolation(error: unknown, index: string): boolean {
  const cause = driverCause(error)
  return cause?.originalCode === '23505' && cause.constraint?.index === index
}

/** What `pg` says of a connection that it lost or gave up. It has no codes for it. */
const lostConnection = /^(Connection terminated|Client has encountered a connection error|Query read timeout)/

type DriverCause = { kind?: string; originalCode?: string; constraint?: { index?: string } }

function sqlState(error: unknown): string | undefined {
  const { code } = shape(error)
  return driverCause(error)?.originalCode ?? (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('P') ? code : undefined)
}

/** Prisma keeps what PostgreSQL, or the connection to it, said here: of SQL of our own, nowhere else. */
function driverCause(error: unknown): DriverCause | undefined {
  const { meta, name, cause } = (error ?? {}) as {
    meta?: { driverAdapterError?: { cause?: DriverCause } }
    name?: string
    cause?: DriverCause
  }
  return meta?.driverAdapterError?.cause ?? (name === 'DriverAdapterError' ? cause : undefined)
}

function shape(error: unknown): { code: string; message: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' }
}
