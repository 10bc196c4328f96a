import type { FetchOptions } from '../execution/fetch.ts'
import type { FetchVariables, PlannedFetch } from '../forward/planned.ts'
import type { FetchContext } from '../forward.ts'
import type { createAskedBy } from '../stale/asked.ts'
import type { AskedEntity } from '../stale/selection.ts'
import type { Answers } from './answers.ts'
import type { Changes } from './changes.ts'
import type { CacheUse } from './use.ts'

/** What goes along with a fetch that may be answered from the cache. */
export type CachedContext = FetchContext & { readonly cached: CacheUse }

export type Send = FetchOptions['send']

/** Answers a fetch from what is kept, and sends what is left of it. */
export type CachedFetch = (
  send: Send,
  subgraph: string,
  fetch: PlannedFetch,
  variables: FetchVariables,
  context: CachedContext,
) => ReturnType<Send>

export type CachedFetchesOptions = {
  askedBy: ReturnType<typeof createAskedBy>
  answers: Answers
  changes: Changes
}

/**
 * For whom an answer is the same, as a part of its name: all, or one caller alone. Undefined where it is not to be kept: something else
 * is asked for too, or the caller is not known.
 */
export function audienceOf({ isWhole, fields, isPrivate }: AskedEntity, { cached }: CachedContext): string | undefined {
  if (!isWhole || fields.length === 0) return undefined
  if (!isPrivate) return ''
  return cached.caller && `${cached.caller} `
}
