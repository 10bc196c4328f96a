import type { GraphQLError } from 'graphql'
import type { Executor } from '../executor.ts'
import type { StaleEntity, StaleMarks } from './marks.ts'

/**
 * Lets queries be answered with what is remembered where a subgraph is away, and tells in `extensions.stale` what that is.
 * Mutations are never: what they answer is what they did.
 */
export function tellingStale(execute: Executor): Executor {
  return async (execution) => {
    if (execution.operation.operation !== 'query') return execute(execution)
    const marks: StaleMarks = new Map()
    const answer = await execute({ ...execution, context: { ...execution.context, stale: marks } })
    if (marks.size === 0) return answer
    const { errors = [], extensions, ...rest } = answer
    const markOf = ({ originalError }: GraphQLError) => originalError && marks.get(originalError)
    const stale = new Map<string, StaleEntity>()
    for (const error of errors) {
      const mark = markOf(error)
      if (!mark || !error.path || !isThere(rest.data, error.path)) continue
      const place = JSON.stringify([mark.subgraph, error.path])
      const ageSeconds = Math.max(mark.ageSeconds, stale.get(place)?.ageSeconds ?? 0)
      stale.set(place, { path: error.path, subgraph: mark.subgraph, ageSeconds })
    }
    const left = errors.filter((error) => !markOf(error))
    return {
      ...rest,
      ...(left.length > 0 && { errors: left }),
      ...((extensions || stale.size > 0) && {
        extensions: { ...extensions, ...(stale.size > 0 && { stale: [...stale.values()] }) },
      }),
    }
  }
}

/** Whether there is something at a place. What lacks a field that it must have is not. */
function isThere(data: unknown, path: StaleEntity['path']): boolean {
  let value = data
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false
    value = (value as Record<string | number, unknown>)[key]
  }
  return value !== null
}
