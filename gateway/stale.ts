import { createHash } from 'node:crypto'
import type { DocumentNode, GraphQLFormattedError } from 'graphql'
import { LRUCache } from 'lru-cache'
import { integer } from '#platform/env.ts'
import type { Metrics } from '#platform/metrics.ts'
import { publicFieldsOf } from './stale/public.ts'
import { type AskedEntity, compileAsked } from './stale/selection.ts'
import { answerTo, createStaleStore, latest } from './stale/store.ts'

export const staleSettings = {
  /** Bytes of public fields that are remembered for when their subgraph is away. 0 remembers nothing. Default 32 MiB. */
  STALE_CACHE_BYTES: integer(0, 4 * 1024 ** 3).default(32 * 1024 ** 2),
  /** Seconds for which they are good then. Default 3600. */
  STALE_MAX_AGE: integer(1, 7 * 86_400).default(3_600),
}

/** A fetch of entities, as it is sent to a subgraph. */
export type EntityFetch = {
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
  /** Of the client, that subgraphs get too. Who sends others may be answered otherwise. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

type Answer = { data?: Record<string, unknown> | null; errors?: readonly GraphQLFormattedError[] }
type Representation = Readonly<Record<string, unknown>>
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

/** Documents of fetches that are kept compiled, and their characters together. */
const mostDocuments = 1_000
const documentCharacters = 1_000_000
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

  /** Tells what a document asks of entities that is public. */
  function createAskedBy(supergraph: DocumentNode) {
    const fields = publicFieldsOf(supergraph)
    const documents = new LRUCache<string, (type: string) => AskedEntity>({
      max: mostDocuments,
      maxSize: documentCharacters,
      sizeCalculation: (_asked, query) => query.length + 1,
    })
    return (query: string): ((type: string) => AskedEntity) => {
      const known = documents.get(query)
      if (known) return known
      const asked = compileAsked(query, fields)
      documents.set(query, asked)
      return asked
    }
  }

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
      const askedBy = createAskedBy(supergraph)
      return { of: (subgraph: string) => answersOf(subgraph, askedBy) }
    },
    store,
  }
}

export type StaleAnswers = ReturnType<ReturnType<typeof createStaleAnswers>['by']>

/**
 * Names an entity as a subgraph is asked for it. Undefined for one that is known by something that is not public: neither is
 * then what is told of it.
 */
function keyOf(
  subgraph: string,
  variant: string,
  representation: Representation,
  { type, known }: AskedEntity,
): string | undefined {
  let name: string | undefined
  let names = 0
  for (const each in representation) {
    if (each === '__typename') continue
    if (!known.has(each) || typeof representation[each] === 'object') return undefined
    name = each
    names++
  }
  const value = name === undefined ? undefined : representation[name]
  // Those with one key are by far the most.
  const text = names === 1 && typeof value === 'string' ? `${name} ${value}` : JSON.stringify(representation)
  return `${subgraph} ${variant}${type} ${text}`
}

/** Tells clients apart by the headers that subgraphs get of them, without keeping any. */
function variantOf(headers: EntityFetch['headers']): string {
  if (!headers) return ''
  const texts = Object.entries(headers).flat()
  return texts.length === 0 ? '' : `${createHash('sha256').update(JSON.stringify(texts)).digest('base64url')} `
}

/** What is asked of each type, once for all entities of a fetch. */
function createKeys(variables: EntityFetch['variables']) {
  const known = new Map<AskedEntity, readonly string[]>()
  return (asked: AskedEntity): readonly string[] => {
    const keys = known.get(asked) ?? asked.keys(variables)
    known.set(asked, keys)
    return keys
  }
}

/** Copies of what was answered of an entity. */
function valuesOf(entity: Entity, { fields }: AskedEntity): unknown[] {
  return fields.map(({ name, copy }) => (Object.hasOwn(entity, name) ? copy(entity[name]) : undefined))
}

function typeOf({ __typename }: Representation): string {
  return String(__typename)
}

/** The code for each entity that was answered with an error. `any`: there is an error that does not say for which. */
function failuresIn(errors: readonly GraphQLFormattedError[]): ReadonlyMap<number, unknown> | 'any' {
  const failed = new Map<number, unknown>()
  for (const { path, extensions } of errors) {
    const [root, index] = path ?? []
    if (root !== '_entities' || typeof index !== 'number') return 'any'
    const { code = null } = extensions ?? {}
    failed.set(index, code)
  }
  return failed
}
