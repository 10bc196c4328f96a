import { hash } from 'node:crypto'
import type { Principal } from '#platform/principal.ts'
import type { Executor } from '../executor.ts'
import type { CacheUse } from './use.ts'

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

/** The same person with other rights, or signed in elsewhere, is another caller. */
function callerOf({ sub, sid, scopes, anonymous }: Principal): string | undefined {
  return anonymous || sub === null
    ? undefined
    : hash('sha256', JSON.stringify([sub, sid, [...scopes].sort()]), 'base64url')
}
