import type { DocumentNode } from 'graphql'
import { integer, onOff } from '#platform/env.ts'
import type { Metrics } from '#platform/metrics.ts'
import { createAnswers } from './cache/answers.ts'
import type { Changes } from './cache/changes.ts'
import { createEntityFetches } from './cache/entities.ts'
import type { Send } from './cache/question.ts'
import { createRootFetches } from './cache/roots.ts'
import { representationsOf } from './forward/planned.ts'
import { createAskedBy } from './stale/asked.ts'
import { publicFieldsOf } from './stale/public.ts'

export const cacheSettings = {
  /** Whether answers of subgraphs that are the same for everybody are kept, and given again. Default off. */
  RESPONSE_CACHE: onOff.default('off'),
  /** Whether those are too that are marked as private, for each caller apart. Default off. */
  RESPONSE_CACHE_PRIVATE: onOff.default('off'),
  /** Seconds that they are given, if their marks do not say less and nothing tells that they changed. Default 60. */
  RESPONSE_CACHE_MAX_AGE: integer(1, 3_600).default(60),
  /** Bytes that are kept at the most. Default 32 MiB. */
  RESPONSE_CACHE_BYTES: integer(1024 ** 2, 4 * 1024 ** 3).default(32 * 1024 ** 2),
}

export type ResponseCacheOptions = {
  /** When things changed. */
  changes: Changes
  /** Seconds for which answers are given whose marks do not say how long, and at the most. */
  maxAge: number
  /** Bytes that are kept at the most. */
  bytes: number
  /** Whether what is marked `PRIVATE` is kept, for each caller apart. */
  privates: boolean
  /**
   * Whether it is heard at once when something changes. While it is not, nothing is given from the cache. Absent: nothing
   * tells, and only what says itself for how long it is fresh is kept.
   */
  hears?: (() => boolean) | undefined
  metrics?: Metrics | undefined
}

/**
 * Keeps what subgraphs answer of what is marked `@cacheControl`, and gives it again while it is fresh.
 *
 * Guarantee: what was asked for before a change that was told of, or less than a second after, is not given any more once it
 * is told. Nothing with an error in it is kept, nothing that lacks a field, and nothing of a mutation.
 */
export function createResponseCache({ changes, maxAge, bytes, privates, hears, metrics }: ResponseCacheOptions) {
  const answers = createAnswers({ bytes, maxAge, metrics })

  return {
    /** Puts the cache before what sends fetches, by what a supergraph schema says of its fields. */
    by(supergraph: DocumentNode) {
      const fields = publicFieldsOf(supergraph, { maxAge: hears ? maxAge : 0, privates })
      const options = { askedBy: createAskedBy(fields), answers, changes }
      const entities = createEntityFetches(options)
      const roots = createRootFetches(options)
      return (send: Send): Send =>
        async (subgraph, fetch, variables, context) => {
          if (!fetch.isQuery) {
            // Whoever changed something here sees it here.
            return send(subgraph, fetch, variables, context).finally(() =>
              changes.subgraph(subgraph, performance.now()),
            )
          }
          if (!context.cached || hears?.() === false) return send(subgraph, fetch, variables, context)
          const through = representationsOf(variables) ? entities : roots
          return through(send, subgraph, fetch, variables, { ...context, cached: context.cached })
        }
    },
  }
}

export type ResponseCache = ReturnType<typeof createResponseCache>
