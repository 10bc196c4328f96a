import { hash } from 'node:crypto'
import type { FetchVariables, PlannedFetch } from '../forward/planned.ts'
import { variantOf } from '../stale/asked.ts'
import type { Question } from './answers.ts'
import { audienceOf, type CachedContext, type CachedFetch, type CachedFetchesOptions } from './question.ts'
import { tellCached } from './use.ts'

const query = 'Query'

/** Fetches of root fields that are all marked: answered as a whole, or not at all. */
export function createRootFetches({ askedBy, answers, changes }: CachedFetchesOptions): CachedFetch {
  function questionOf(
    subgraph: string,
    { operation }: PlannedFetch,
    { values }: FetchVariables,
    context: CachedContext,
  ): Question | undefined {
    const asked = askedBy(operation)(query)
    const audience = audienceOf(asked, context)
    if (audience === undefined) return undefined
    const keys = asked.keys(values)
    const text = hash('sha256', JSON.stringify(keys), 'base64url')
    const key = `${subgraph} ${variantOf(context.headers)}${audience}${query} ${text}`
    return { key, asked, keys, since: () => changes.sinceRoot(subgraph) }
  }

  return async (send, subgraph, fetch, variables, context) => {
    const began = performance.now()
    const question = questionOf(subgraph, fetch, variables, context)
    const found = question && answers.find(question, began)
    answers.count('roots', found ? 'hit' : question ? 'miss' : 'bypass', 1)
    if (found) {
      tellCached(context.cached, subgraph, query, 1, found.age)
      return { data: found.data }
    }
    const response = await send(subgraph, fetch, variables, context)
    const { data, errors } = response
    // What is not there may be there soon, and nothing would tell whose absence is kept.
    const isThere = data && !errors?.length && Object.values(data).every((value) => value !== null)
    if (question && isThere) answers.keep(question, data, response.began ?? began)
    return response
  }
}
