import type { DocumentNode, GraphQLFormattedError } from 'graphql'
import { integer } from '#platform/env.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Representation } from './forward/planned.ts'
import { createAskedBy, createKeys, type EntityFetch, failuresIn, keyOf, typeOf, variantOf } from './stale/asked.ts'
import { publicFieldsOf } from './stale/public.ts'
import type { AskedEntity } from './stale/selection.ts'
import { answerTo, createStaleStore, latest } from './stale/store.ts'

export const staleSettings = {
  /** Bytes of public fields that are remembered for when their subgraph is away. 0 remembers nothing. Default 32 MiB. */
  STALE_CACHE_BYTES: integer(0, 4 * 1024 ** 3).default(32 * 1024 ** 2),
  /** Seconds for which they are good then. Default 3600. */
  STALE_MAX_AGE: integer(1, 7 * 86_400).default(3_600),
}

type Answer = { data?: Record<string, unknown> | null; errors?: readonly GraphQLFormattedError[] }
type Entity = Record<string, unknown>

/** What is remembered of the entities that a fetch asked for. */
export type Recalled = {
  /** One for each representation, with what is known of it. Null: nothing. */
  readonly entities: readonly (Entity | null)[]
  /** For each the whole seconds since the oldest value of it was asked for. */
  readonly ages: readonly number[]
}

export type StaleOptions = {
  /** Bytes that are remembered at the most. */
  bytes: number
  /** Seconds. Read at each use, so that it may change. */
  maxAge: () => number
  metrics?: Metrics
}

/** Milliseconds in which an entity that is asked for in the same way again and again is remembered once. */
const renewal = 1_000

/**
 * Remembers what subgraphs last answered of entities, public fields alone, for when they do not answer. Times are those of
 * `performance.now()`.
 */
export function createStaleAnswers({ bytes, maxAge, metrics }: StaleOptions) {
  const store = createStaleStore({ bytes })
  const answers = metrics?.counter('stale_answers_total', 'Entities answered from what was remembered.', ['subgraph'])
  const helps = {
    stale_cache_entities: 'Entities that are remembered for when their subgraph is away.',
    stale_cache_bytes: 'About how many bytes they take.',
  }
  metrics?.measured(helps, ['type'], async () =>
    [...store.held()].map(([type, { entities, bytes }]) => ({
      labels: { type },
      values: { stale_cache_entities: entities, stale_cache_bytes: bytes },
    })),
  )

  /** Of one subgraph: what others tell of the same entity is another thing. */
  function answersOf(subgraph: string, askedBy: ReturnType<typeof createAskedBy>) {
    return {
      /** Remembers what a fetch that began then was answered. An entity that is there no longer is forgotten. */
      remember({ query, variables, headers }: EntityFetch, { data, errors }: Answer, began: number): void {
        const { representations } = variables
        const { _entities: entities } = data ?? {}
        if (!Array.isArray(representations) || !Array.isArray(entities)) return
        const failed = Array.isArray(errors) ? failuresIn(errors) : undefined
        if (failed === 'any' || entities.length !== representations.length) return
        const askedOf = askedBy(query)
        const keysOf = createKeys(variables)
        const variant = variantOf(headers)
        for (const [index, entity] of entities.entries()) {
          const representation: Representation = representations[index]
          const asked = askedOf(typeOf(representation))
          if (asked.fields.length === 0) continue
          const key = keyOf(subgraph, variant, representation, asked)
          const code = failed?.get(index)
          if (key === undefined) continue
          if (entity === null && (code === undefined || code === 'NOT_FOUND')) store.forget(key)
          if (code !== undefined || typeof entity !== 'object' || entity === null) continue
          const keys = keysOf(asked)
          const kept = store.get(key)
          const before = kept && answerTo(kept, keys)
          if (before && began - before.at < renewal) continue
          store.put(key, asked.type, keys, valuesOf(entity as Entity, asked), began)
        }
      },

      /** What is remembered of the entities that a fetch asks for now. Undefined: nothing. */
      recall({ query, variables, headers }: EntityFetch, now: number): Recalled | undefined {
        const { representations } = variables
        if (!Array.isArray(representations)) return undefined
        const askedOf = askedBy(query)
        const keysOf = createKeys(variables)
        const variant = variantOf(headers)
        const oldest = now - maxAge() * 1_000
        const ages: number[] = []
        const entities = representations.map((representation: Representation, index) => {
          const asked = askedOf(typeOf(representation))
          const key = keyOf(subgraph, variant, representation, asked)
          const kept = key === undefined ? undefined : store.get(key)
          const entity: Entity = { __typename: asked.type }
          let since = Number.POSITIVE_INFINITY
          for (const [index, key] of kept ? keysOf(asked).entries() : []) {
            const field = asked.fields[index]
            const found = kept && latest(kept, key)
            if (!field || !found || found.at < oldest) continue
            // A copy, since others add to what is answered.
            entity[field.name] = field.copy(found.value)
            if (field.name !== '__typename') since = Math.min(since, found.at)
          }
          ages[index] = Math.max(0, Math.floor((now - since) / 1_000))
          return since === Number.POSITIVE_INFINITY ? null : entity
        })
        const count = entities.filter((entity) => entity !== null).length
        answers?.inc({ subgraph }, count)
        return count > 0 ? { entities, ages } : undefined
      },
    }
  }

  return {
    /** What a supergraph schema says is public. What is remembered stays when another one takes its place. */
    by(supergraph: DocumentNode) {
      const askedBy = createAskedBy(publicFieldsOf(supergraph))
      return { of: (subgraph: string) => answersOf(subgraph, askedBy) }
    },
    store,
  }
}

export type StaleAnswers = ReturnType<ReturnType<typeof createStaleAnswers>['by']>

/** Copies of what was answered of an entity. */
function valuesOf(entity: Entity, { fields }: AskedEntity): unknown[] {
  return fields.map(({ name, copy }) => (Object.hasOwn(entity, name) ? copy(entity[name]) : undefined))
}
