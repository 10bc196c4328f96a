import { type LoggerOptions, pino } from 'pino'
import { currentContext, traceId } from './context.ts'
import { ServiceError } from './errors.ts'

/** Writes one line. Fields never hold secrets, tokens, e-mail addresses or bodies. */
export type Log = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type LogFields = Record<string, unknown> & { error?: unknown }

export type LogOptions = {
  service: string
  /** The least that is written. Read at each line, so that it may change. */
  level: () => string
}

/** A log of JSON lines on standard output, each with the service, and the trace and request it belongs to. */
export function createLog({ service, level }: LogOptions): Log {
  const options: LoggerOptions = {
    level: level(),
    base: { service },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin() {
      const context = currentContext()
      return context ? { traceId: traceId(context.traceparent), requestId: context.requestId } : {}
    },
    serializers: { error: describe },
  }
  // Written at once: nothing is lost when the process dies, and a reader that is gone is an error and not an endless wait.
  const logger = pino(options, pino.destination({ fd: 1, sync: true }))
  const write =
    (at: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void => {
      if (logger.level !== level()) logger.level = level()
      logger[at](fields, message)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** Writes nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** An error as a log line shows it: a refusal by its code, anything else with its stack and its causes. */
function describe(error: unknown): unknown {
  if (error instanceof ServiceError) return { code: error.code, message: error.message, cause: describe(error.cause) }
  if (error instanceof AggregateError) return { message: error.message, errors: error.errors.map(describe) }
  if (!(error instanceof Error)) return error
  return { name: error.name, message: error.message, stack: error.stack, cause: describe(error.cause) }
}
