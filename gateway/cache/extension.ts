import { hash } from 'node:crypto'
import type { Principal } from '#platform/principal.ts'
import type { Executor } from '../executor.ts'

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

/**
 * Lets queries be answered from the cache, and tells in `extensions.cached` what was. Mutations are never: what they answer
 * is what they did.
 */
export function tellingCached(execute: Executor): Executor {
  return async (execution) => {
    const { operation, context } = execution
    if (operation.operation !== 'query') return execute(execution)
    const cached: CacheUse = { caller: callerOf(context.principal), parts: new Map() }
    const answer = await execute({ ...execution, context: { ...context, cached } })
    if (cached.parts.size === 0) return answer
    return { ...answer, extensions: { ...answer.extensions, cached: [...cached.parts.values()] } }
  }
}

/** Takes down that something was answered from the cache. */
export function tellCached({ parts }: CacheUse, subgraph: string, type: string, count: number, age: number): void {
  const key = `${subgraph} ${type}`
  const before = parts.get(key)
  const ageSeconds = Math.max(before?.ageSeconds ?? 0, Math.floor(age / 1_000))
  parts.set(key, { subgraph, type, count: count + (before?.count ?? 0), ageSeconds })
}

/** The same person with other rights, or signed in elsewhere, is another caller. */
function callerOf({ sub, sid, scopes, anonymous }: Principal): string | undefined {
  return anonymous || sub === null
    ? undefined
    : hash('sha256', JSON.stringify([sub, sid, [...scopes].sort()]), 'base64url')
}
