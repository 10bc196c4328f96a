import type { ErrorCode } from '#platform/errors.ts'
import type { Metrics } from '#platform/metrics.ts'
import { type Answer, type createPipeline, errorsIn } from './pipeline.ts'

/**
 * What became of a request, as service levels count it. `ok`: answered without an error. `refused`: an error that its client can
 * mend. `failed`: at least one error that is the system's, also where the rest was answered.
 */
export type Outcome = 'ok' | 'refused' | 'failed'

const outcomes: readonly Outcome[] = ['ok', 'refused', 'failed']

/** Codes that are the system's fault. */
const ours: ReadonlySet<unknown> = new Set<ErrorCode>([
  'OVERLOADED',
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
])

export function outcomeOf({ body }: Answer): Outcome {
  const errors = errorsIn(body)
  if (errors.some(({ extensions }) => ours.has(extensions?.code))) return 'failed'
  return errors.length > 0 ? 'refused' : 'ok'
}

type Pipeline = ReturnType<typeof createPipeline>

/** Counts and times requests that were let in, by outcome. One that was shed is counted in `requests_shed_total` alone. */
export function measureAnswers(answer: Pipeline, metrics: Metrics): Pipeline {
  const durations = metrics.histogram('graphql_request_duration_seconds', 'Requests that were let in, by outcome.', [
    'outcome',
  ])
  // A rise from nothing is none for Prometheus.
  for (const outcome of outcomes) durations.zero({ outcome })
  return async function measured(...args) {
    const end = durations.startTimer()
    try {
      const given = await answer(...args)
      end({ outcome: outcomeOf(given) })
      return given
    } catch (error) {
      end({ outcome: 'failed' })
      throw error
    }
  }
}
