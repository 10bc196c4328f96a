import type { ServiceError } from '#platform/errors.ts'
import { graphqlError } from '#platform/http.ts'
import type { Recalled } from '../stale.ts'
import { type FetchVariables, type PlannedFetch, representationsOf } from './planned.ts'

/** Errors reported for one failed fetch, however many fields it leaves empty. */
const mostErrors = 100

/** The answer of a fetch that failed: every field it was for is null, with the error at its path, but for what is recalled. */
export function missing(
  { fieldsOf }: PlannedFetch,
  variables: FetchVariables,
  error: ServiceError,
  recalled: Recalled | undefined,
) {
  const representations = representationsOf(variables)
  const paths: (string | number)[][] = []
  if (!representations) paths.push(...fieldsOf(undefined).map((field) => [field]))
  for (const [index, { __typename }] of (representations ?? []).entries()) {
    if (paths.length >= mostErrors) break
    const fields = fieldsOf(String(__typename))
    // Of a type that the subgraph alone can tell, or asked for its type and no more: the entity itself is missing.
    if (fields.length === 0) paths.push(['_entities', index])
    for (const field of fields) {
      if (!Object.hasOwn(recalled?.entities[index] ?? {}, field)) paths.push(['_entities', index, field])
    }
  }
  return {
    data: representations ? { _entities: recalled?.entities ?? representations.map(() => null) } : null,
    errors: paths.slice(0, mostErrors).map((path) => ({ ...graphqlError(error), path })),
  }
}
