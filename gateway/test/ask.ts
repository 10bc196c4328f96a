import { Kind, parse } from 'graphql'
import { type FetchContext, type Forwarder, planFetch, type SubgraphResponse } from '../forward.ts'

/** Sends a text through a forwarder, as a fetch of a plan. */
export function ask(
  forwarder: Forwarder,
  { query, variables = {} }: { query: string; variables?: Record<string, unknown> },
  context: FetchContext,
): Promise<SubgraphResponse> {
  const [operation] = parse(query).definitions
  const operationKind = operation?.kind === Kind.OPERATION_DEFINITION ? operation.operation : 'query'
  const { representations } = variables
  return forwarder.fetch(
    planFetch({ operation: query, operationKind }),
    {
      text: JSON.stringify(variables),
      ...(Array.isArray(representations) && { representations }),
    },
    context,
  )
}
