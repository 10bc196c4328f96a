import { type FetchVariables, type PlannedFetch, representationsOf } from '../forward/planned.ts'
import type { Response } from '../forward/response.ts'
import { type Data, isObject } from '../objects.ts'
import { createKeys, failuresIn, keyOf, typeOf, variantOf } from '../stale/asked.ts'
import type { Question } from './answers.ts'
import { audienceOf, type CachedContext, type CachedFetch, type CachedFetchesOptions } from './question.ts'
import { tellCached } from './use.ts'

/**
 * Fetches of entities: those that are known and fresh are not asked for, and the others take the places between them that
 * they would have had.
 */
export function createEntityFetches({ askedBy, answers, changes }: CachedFetchesOptions): CachedFetch {
  function questionsOf(
    subgraph: string,
    { operation }: PlannedFetch,
    variables: FetchVariables,
    context: CachedContext,
  ): (Question | undefined)[] {
    const askedOf = askedBy(operation)
    const keysOf = createKeys(variables.values)
    const variant = variantOf(context.headers)
    return (representationsOf(variables) ?? []).map((representation) => {
      const asked = askedOf(typeOf(representation))
      const audience = audienceOf(asked, context)
      if (audience === undefined) return undefined
      const key = keyOf(subgraph, `${variant}${audience}`, representation, asked)
      const since = () => changes.sinceEntity(subgraph, representation)
      return key === undefined ? undefined : { key, asked, keys: keysOf(asked), since }
    })
  }

  function keep(questions: readonly (Question | undefined)[], { data, errors }: Response, began: number): void {
    const entities = data?._entities
    if (!Array.isArray(entities) || entities.length !== questions.length) return
    const failed = failuresIn(errors ?? [])
    if (failed === 'any') return
    for (const [index, question] of questions.entries()) {
      if (!question || failed.has(index)) continue
      const entity: unknown = entities[index]
      if (isObject(entity)) answers.keep(question, entity, began)
      else answers.forget(question.key)
    }
  }

  return async (send, subgraph, fetch, variables, context) => {
    const began = performance.now()
    const questions = questionsOf(subgraph, fetch, variables, context)
    const found = questions.map((question) => question && answers.find(question, began))
    const missing = found.flatMap((each, index) => (each ? [] : [index]))
    const asked = missing.map((index) => questions[index])
    const known = asked.filter((question) => question !== undefined).length
    answers.count('entities', 'hit', questions.length - missing.length)
    answers.count('entities', 'miss', known)
    answers.count('entities', 'bypass', missing.length - known)
    const entities: (Data | null)[] = found.map((each, index) => {
      if (!each) return null
      const { type } = (questions[index] as Question).asked
      tellCached(context.cached, subgraph, type, 1, each.age)
      return { __typename: type, ...each.data }
    })
    if (missing.length === 0) return { data: { _entities: entities } }
    const all = missing.length === questions.length
    const response = await send(subgraph, fetch, all ? variables : onlyThose(variables, missing), context)
    if (known > 0) keep(asked, response, response.began ?? began)
    if (all) return response
    const answered = response.data?._entities
    if (Array.isArray(answered)) for (const [at, index] of missing.entries()) entities[index] = answered[at] ?? null
    for (const error of response.errors ?? []) moveError(error, missing)
    return { ...response, data: { ...response.data, _entities: entities } }
  }
}

/** The same, asking for some of the entities alone. */
function onlyThose({ values }: FetchVariables, indexes: readonly number[]): FetchVariables {
  const all = representationsOf({ text: '', values }) ?? []
  const less = { ...values, representations: indexes.map((index) => all[index]) }
  return { text: JSON.stringify(less), values: less }
}

/** To the entity's place among all. The error stays the same object, by which marks of what is stale are known. */
function moveError(error: NonNullable<Response['errors']>[number], indexes: readonly number[]): void {
  const [root, index, ...below] = error.path ?? []
  const place = typeof index === 'number' ? indexes[index] : undefined
  if (root === '_entities' && place !== undefined) Object.assign(error, { path: [root, place, ...below] })
}
