import { isDataRefusal, isTransientDatabaseError } from '../database/failures.ts'
import { ServiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { resume } from '../telemetry/span.ts'
import type { EventHandler } from './bus.ts'
import { fromRecord, type LogRecord } from './cloudevents.ts'
import { PoisonError } from './handlers.ts'
import type { BusMeters } from './meters.ts'
import { eventSpan, type MessagingSystem } from './span.ts'

/** Milliseconds before the first repeat of an event that met a transient failure; doubled for each next one. */
const firstPause = 100
const longestPause = 10_000
/** Attempts at an event that fails for an unknown reason, before that counts as a bug. Takes about a minute. */
const mostAttempts = 12
/** Characters of a reason that a dead letter keeps. */
const longestReason = 1_000

/** What a dead letter says of its failure, in headers beside those of the record. `attempts` are those of the last member. */
export const deadLetterHeaders = {
  error: 'dlq-error',
  group: 'dlq-group',
  topic: 'dlq-topic',
  partition: 'dlq-partition',
  offset: 'dlq-offset',
  attempts: 'dlq-attempts',
  firstFailedAt: 'dlq-first-failed-at',
  lastFailedAt: 'dlq-last-failed-at',
} as const

/** The header of a record that is there for one group alone: the others pass it over. */
export const replayGroup = 'replay-group'

export type Position = { topic: string; partition: number; offset: string }

export type DeliveryOptions = {
  group: string
  handlers: readonly EventHandler[]
  /** Stores a record that is given up. Resolves when it is stored for good. */
  deadLetter: (record: LogRecord, position: Position) => Promise<void>
  log: Log
  meters?: BusMeters
  /** Which event log, for spans. */
  system?: MessagingSystem
}

/**
 * Delivers one record at a time of each partition, and decides what a failure means:
 * - transient (a database or a peer is away or busy): the same record comes again, after a pause that grows;
 * - poison (it does not parse, means nothing legal, or meets a bug): it goes to the dead letters with the reason;
 * - unknown: as transient for a while, then as poison.
 *
 * Returns 0 when the partition may go on, else the milliseconds after which the record is to be delivered again.
 */
export function createDelivery({ group, handlers, deadLetter, log, meters, system }: DeliveryOptions) {
  /** What failed last of each partition: another member may have passed it since. */
  const failures = new Map<string, Failures>()
  for (const topic of new Set(handlers.map(({ topic }) => topic))) meters?.expected(group, topic)
  const byType = new Map(handlers.map((handler) => [`${handler.topic} ${handler.type}`, handler]))

  async function attempt(record: LogRecord, { topic, partition }: Position): Promise<void> {
    if ((record.headers[replayGroup] ?? group) !== group) return
    const event = fromRecord(topic, record)
    const handler = byType.get(`${event.topic} ${event.type}`)
    if (!handler) return
    const start = performance.now()
    const { name, ...span } = eventSpan('CONSUMER', event, system, {
      'messaging.consumer.group.name': group,
      'messaging.destination.partition.id': String(partition),
    })
    await resume(event, name, span, () => handler.handle(event))
    meters?.handled(group, topic, (performance.now() - start) / 1_000)
  }

  return async function deliver(record: LogRecord, position: Position): Promise<number> {
    const partition = `${position.topic}/${position.partition}`
    const before = failures.get(partition)
    const known = before?.offset === position.offset ? before : undefined
    const attempts = (known?.attempts ?? 0) + 1
    const since = known?.since ?? new Date()
    try {
      try {
        await attempt(record, position)
      } catch (error) {
        const failure = failureOf(error)
        if (failure === 'transient' || (failure === 'unknown' && attempts < mostAttempts)) throw error
        log.error('event is poison', { group, ...position, attempts, reason: reasonOf(error) })
        await deadLetter(withReason(record, { error, group, position, attempts, since }), position)
        meters?.givenUp(group, position.topic)
      }
      failures.delete(partition)
      return 0
    } catch (error) {
      failures.set(partition, { offset: position.offset, attempts, since })
      const pause = Math.min(longestPause, firstPause * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2)
      meters?.retried(group, position.topic)
      log.warn('event delayed', { group, ...position, attempts, pause: Math.round(pause), error })
      return Math.ceil(pause)
    }
  }
}

/** Whether a repeat may help. It does not where the event is at fault, or our code. */
function failureOf(error: unknown): 'transient' | 'poison' | 'unknown' {
  if (error instanceof PoisonError) return 'poison'
  if (error instanceof ServiceError) {
    if (error.code === 'INTERNAL_SERVER_ERROR') return 'unknown'
    return error.retryable ? 'transient' : 'poison'
  }
  if (isTransientDatabaseError(error) || isSystemError(error)) return 'transient'
  if (isDataRefusal(error)) return 'poison'
  return bugs.has((error as Error | undefined)?.name ?? '') ? 'poison' : 'unknown'
}

const bugs = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'PrismaClientValidationError'])

/** What the machine or the network refused. `fetch` throws a TypeError that has it as its cause. */
function isSystemError(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  if (typeof code === 'string' && /^(E[A-Z]{3,}|UND_ERR_\w+)$/.test(code)) return true
  return cause instanceof Error && isSystemError(cause)
}

/** Without what no event log keeps in a header: NUL and half a character. */
function reasonOf(error: unknown): string {
  const reason = error instanceof ServiceError ? `${error.code}: ${error.message}` : String(error)
  return reason.slice(0, longestReason).replaceAll('\0', '').toWellFormed()
}

type Failures = { offset: string; attempts: number; since: Date }

type Failure = { error: unknown; group: string; position: Position; attempts: number; since: Date }

/** A record that was a dead letter before gets the headers of this failure in place of the last one's. */
function withReason(record: LogRecord, { error, group, position, attempts, since }: Failure): LogRecord {
  const { topic, partition, offset } = position
  const headers = {
    ...record.headers,
    [deadLetterHeaders.error]: reasonOf(error),
    [deadLetterHeaders.group]: group,
    [deadLetterHeaders.topic]: topic,
    [deadLetterHeaders.partition]: String(partition),
    [deadLetterHeaders.offset]: offset,
    [deadLetterHeaders.attempts]: String(attempts),
    [deadLetterHeaders.firstFailedAt]: since.toISOString(),
    [deadLetterHeaders.lastFailedAt]: new Date().toISOString(),
  }
  return { ...record, headers }
}
