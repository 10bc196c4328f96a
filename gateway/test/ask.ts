import { Kind, parse } from 'graphql'
import { planFetch } from '../forward/planned.ts'
import type { Response } from '../forward/response.ts'
import type { FetchContext, Forwarder } from '../forward.ts'

/** Sends a text through a forwarder, as a fetch of a plan. */
export function ask(
  forwarder: Forwarder,
  { query, variables = {} }: { query: string; variables?: Record<string, unknown> },
  context: FetchContext,
): Promise<Response> {
  const [operation] = parse(query).definitions
  const operationKind = operation?.kind === Kind.OPERATION_DEFINITION ? operation.operation : 'query'
  return forwarder.fetch(
    planFetch({ operation: query, operationKind }),
    { text: JSON.stringify(variables), values: variables },
    context,
  )
}
