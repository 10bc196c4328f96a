import type { GraphQLFormattedError } from 'graphql'
import type { Recalled } from '../stale.ts'

/** What of an answer is not fresh, as `extensions.stale` tells it. */
export type StaleEntity = {
  readonly path: readonly (string | number)[]
  readonly subgraph: string
  /** Whole seconds since the oldest value was asked for. */
  readonly ageSeconds: number
}

/**
 * The entities of one operation that are not fresh. A mark goes the way of an error, since errors are brought to the places that they
 * are for, and is known by being here: no subgraph can make one.
 */
export type StaleMarks = Map<object, Omit<StaleEntity, 'path'>>

/** Marks what is recalled for a fetch, and gives the marks. */
export function markStale(marks: StaleMarks, subgraph: string, { entities, ages }: Recalled): GraphQLFormattedError[] {
  return entities.flatMap((entity, index) => {
    if (entity === null) return []
    const mark = { message: 'stale', path: ['_entities', index] }
    marks.set(mark, { subgraph, ageSeconds: ages[index] ?? 0 })
    return [mark]
  })
}
