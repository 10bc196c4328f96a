/** What of an answer came from the cache of one subgraph's answers, as `extensions.cached` tells it. */
export type CachedPart = {
  readonly subgraph: string
  /** Of the entities. `Query`: answers of root fields. */
  readonly type: string
  readonly count: number
  /** Whole seconds since the oldest of them was asked for. */
  readonly ageSeconds: number
}

/** What one operation may be answered with, and what of it was. */
export type CacheUse = {
  /** Names the caller, with all that they may do. Undefined: nobody who is known. */
  readonly caller: string | undefined
  readonly parts: Map<string, CachedPart>
}

/** Takes down that something was answered from the cache. */
export function tellCached({ parts }: CacheUse, subgraph: string, type: string, count: number, age: number): void {
  const key = `${subgraph} ${type}`
  const before = parts.get(key)
  const ageSeconds = Math.max(before?.ageSeconds ?? 0, Math.floor(age / 1_000))
  parts.set(key, { subgraph, type, count: count + (before?.count ?? 0), ageSeconds })
}
