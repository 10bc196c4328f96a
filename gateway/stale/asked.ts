import { createHash } from 'node:crypto'
import type { GraphQLFormattedError } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Representation } from '../forward/planned.ts'
import type { PublicFields } from './public.ts'
import { type AskedEntity, compileAsked } from './selection.ts'

/** A fetch of entities, as it is sent to a subgraph. */
export type EntityFetch = {
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
  /** Of the client, that subgraphs get too. Who sends others may be answered otherwise. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Documents of fetches that are kept compiled, and their characters together. */
const mostDocuments = 1_000
const documentCharacters = 1_000_000

/** Tells what a document asks of entities that is public. */
export function createAskedBy(fields: PublicFields) {
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

/**
 * Names an entity as a subgraph is asked for it. Undefined for one that is known by something that is not public: neither is
 * then what is told of it.
 */
export function keyOf(
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
export function variantOf(headers: EntityFetch['headers']): string {
  if (!headers) return ''
  const texts = Object.entries(headers).flat()
  return texts.length === 0 ? '' : `${createHash('sha256').update(JSON.stringify(texts)).digest('base64url')} `
}

/** What is asked of each type, once for all entities of a fetch. */
export function createKeys(variables: EntityFetch['variables']) {
  const known = new Map<AskedEntity, readonly string[]>()
  return (asked: AskedEntity): readonly string[] => {
    const keys = known.get(asked) ?? asked.keys(variables)
    known.set(asked, keys)
    return keys
  }
}

export function typeOf({ __typename }: Representation): string {
  return String(__typename)
}

/** The code for each entity that was answered with an error. `any`: there is an error that does not say for which. */
export function failuresIn(errors: readonly GraphQLFormattedError[]): ReadonlyMap<number, unknown> | 'any' {
  const failed = new Map<number, unknown>()
  for (const { path, extensions } of errors) {
    const [root, index] = path ?? []
    if (root !== '_entities' || typeof index !== 'number') return 'any'
    const { code = null } = extensions ?? {}
    failed.set(index, code)
  }
  return failed
}
