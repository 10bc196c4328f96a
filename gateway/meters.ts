import { type ErrorCode, isErrorCode } from '#platform/errors.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Held, Prepared } from './operations.ts'
import { type RecordedOperations, shapeOf } from './persisted.ts'

/** What one operation came to. */
export type Measured = {
  /** Absent: it was refused before it was known to be valid. */
  readonly prepared: Prepared | undefined
  /** What the client calls itself. Anybody may say anything. */
  readonly client: string | undefined
  readonly seconds: number
  /** Codes of its errors. */
  readonly codes: readonly unknown[]
}

/** Whatever is not recorded, in a label. */
const unknown = 'unknown'

type Name = { readonly client: string; readonly name: string }

/**
 * Measures operations, by name and client. Labels are those of the recorded operations and no other: whatever clients send, there are
 * no more series than these have names and clients.
 */
export function createOperationMeters(metrics: Metrics) {
  const labels = ['operation_name', 'client_name'] as const
  const durations = metrics.histogram('graphql_operation_duration_seconds', 'Operations, refused ones too.', labels)
  const errors = metrics.counter('graphql_operation_errors_total', 'Operations with an error, for each of its codes.', [
    ...labels,
    'code',
  ])
  return ({ byId }: RecordedOperations) => {
    const recorded = new Map(
      [...byId].map(([id, text]) => {
        const [client = unknown, name = unknown] = id.split('/')
        return [shapeOf(text), { client, name }] as const
      }),
    )
    const clients = new Set([...recorded.values()].map(({ client }) => client))
    const known = new WeakMap<Prepared, Name | undefined>()

    function find(prepared: Prepared): Name | undefined {
      if (!known.has(prepared)) known.set(prepared, recorded.get(shapeOf(prepared.text)))
      return known.get(prepared)
    }

    return function measure({ prepared, client, seconds, codes }: Measured): void {
      const found = prepared && find(prepared)
      const client_name = client !== undefined && clients.has(client) ? client : (found?.client ?? unknown)
      const labels = { operation_name: found?.name ?? unknown, client_name }
      durations.observe(labels, seconds)
      if (codes.length === 0) return
      for (const code of new Set(codes.map(labelOf))) errors.inc({ ...labels, code })
    }
  }
}

export type OperationMeter = ReturnType<ReturnType<typeof createOperationMeters>>

/** Subgraphs that are not of this shop have codes of their own. */
function labelOf(code: unknown): ErrorCode | 'OTHER' {
  return isErrorCode(code) ? code : 'OTHER'
}

/** Tells how full the caches of operations are: each has a bound of entries and one of bytes. */
export function measureCaches(metrics: Metrics, held: () => Readonly<Record<string, Held>>): void {
  metrics.measured(
    {
      operation_cache_entries: 'Documents, and plans, that are kept.',
      operation_cache_bytes: 'About how many bytes they take.',
    },
    ['cache'],
    async () =>
      Object.entries(held()).map(([cache, { entries, bytes }]) => ({
        labels: { cache },
        values: { operation_cache_entries: entries, operation_cache_bytes: bytes },
      })),
  )
}
