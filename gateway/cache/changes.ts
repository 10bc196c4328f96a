import type { Representation } from '../forward/planned.ts'

/** Entities of which it is known one by one when they changed. Beyond that all have changed. */
const mostEntities = 10_000
const never = Number.NEGATIVE_INFINITY

/**
 * When things changed, as far as this gateway was told: what was asked for earlier may be what was before. Times are those of
 * `performance.now()`.
 */
export function createChanges() {
  let everything = never
  let told = never
  const subgraphs = new Map<string, number>()
  const entities = new Map<string, number>()

  function all(now: number): void {
    everything = now
    entities.clear()
    subgraphs.clear()
  }

  const sinceOf = (subgraph: string) => Math.max(everything, subgraphs.get(subgraph) ?? never)
  return {
    /** Anything may have changed. */
    all,
    /** Anything that a subgraph tells may have changed. */
    subgraph: (name: string, now: number): void => void subgraphs.set(name, now),
    /** An entity changed that is known by these values of its keys, and with it any answer of a root field. */
    entity(type: string, keys: Readonly<Record<string, string>>, now: number): void {
      told = now
      if (entities.size >= mostEntities) all(now)
      for (const [key, value] of Object.entries(keys)) entities.set(`${type} ${key} ${value}`, now)
    },
    /** Since when an entity is what it is, as a subgraph tells of it. */
    sinceEntity(subgraph: string, representation: Representation): number {
      let since = sinceOf(subgraph)
      if (entities.size === 0) return since
      const { __typename: type } = representation
      for (const key in representation) {
        if (key !== '__typename')
          since = Math.max(since, entities.get(`${type} ${key} ${representation[key]}`) ?? never)
      }
      return since
    },
    /** Since when a root field's answer is what it is. */
    sinceRoot: (subgraph: string): number => Math.max(sinceOf(subgraph), told),
  }
}

export type Changes = ReturnType<typeof createChanges>
