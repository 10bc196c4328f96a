import type pg from 'pg'
import { inSpan, isRecorded } from '../telemetry/span.ts'

/** Characters of a statement that a span keeps. */
const longestText = 1_000

type Query = (...args: unknown[]) => unknown

/**
 * Records each statement of a pool as a span of the work it is for, from asking for a connection to the answer. Statements hold no
 * values: those are parameters, which are not recorded. https://opentelemetry.io/docs/specs/semconv/db/postgresql
 */
export function traceStatements(pool: pg.Pool, url: string): void {
  const database = { 'db.system.name': 'postgresql', 'db.namespace': new URL(url).pathname.slice(1) }
  const traced = (query: Query) => {
    const recorded = (...args: unknown[]) => {
      // With a callback it is the pool that asks, for a statement that has its span already, and in the context of whoever gave the
      // connection back.
      if (!isRecorded() || typeof args.at(-1) === 'function') return query(...args)
      const { text, ...attributes } = describe(args[0])
      const options = { kind: 'CLIENT', attributes: { ...database, ...attributes, 'db.query.text': text } } as const
      return inSpan(attributes['db.query.summary'], options, async () => query(...args))
    }
    return recorded as pg.Pool['query']
  }
  pool.query = traced(pool.query.bind(pool) as Query)
  pool.on('connect', (client) => {
    client.query = traced(client.query.bind(client) as Query)
  })
}

/** What a statement does to which table, as far as its first words and its first table say. */
function describe(query: unknown) {
  const whole = typeof query === 'string' ? query : String((query as { text?: unknown } | undefined)?.text ?? '')
  const operation = /[a-z]+/i.exec(whole)?.[0].toUpperCase() ?? 'QUERY'
  const [, table] = /\b(?:FROM|INTO|UPDATE)\s+(?:"?\w+"?\.)?"?([a-z_]\w*)\b(?!\()/i.exec(whole) ?? []
  return {
    text: whole.slice(0, longestText),
    'db.operation.name': operation,
    ...(table && { 'db.collection.name': table }),
    'db.query.summary': table ? `${operation} ${table}` : operation,
  }
}
