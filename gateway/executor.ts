import type { ApolloGateway } from '@apollo/gateway'
import { type DocumentNode, type ExecutionResult, GraphQLError, type OperationDefinitionNode } from 'graphql'
import type { Principal } from '#platform/principal.ts'
import type { FetchContext } from './forward.ts'

/** What goes along with a request. */
export type GatewayContext = FetchContext & { readonly principal: Principal }

/** An operation that is valid, to be executed for a caller. */
export type Execution = {
  readonly document: DocumentNode
  /** Names the document: the same hash, the same document. */
  readonly hash: string
  readonly operation: OperationDefinitionNode
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>
  /** The same, as the schema has them, with defaults. */
  readonly coerced: Readonly<Record<string, unknown>>
  readonly context: GatewayContext
}

/** The answer to an operation. `status` is that of HTTP, where it is not 200. */
export type Executed = ExecutionResult<Record<string, unknown>, Record<string, unknown>> & { readonly status?: number }

export type Executor = (execution: Execution) => Promise<Executed>

type ApolloExecutor = Awaited<ReturnType<ApolloGateway['load']>>['executor']
type ApolloRequest = Parameters<ApolloExecutor>[0]

/** Apollo's gateway as an executor: it plans an operation, fetches from subgraphs and joins what they answer. */
export function executorOf(execute: ApolloExecutor): Executor {
  return async ({ document, hash, operation, variables, context }) => {
    const operationName = operation.name?.value
    // It reads these of Apollo Server's request and no other.
    const request: Partial<ApolloRequest> = {
      request: { variables, ...(operationName && { operationName }) },
      document,
      operation,
      queryHash: hash,
      ...(operationName && { operationName }),
      context,
      metrics: {},
    }
    const { errors, ...result } = (await execute(request as ApolloRequest)) as Executed
    return { ...result, ...(errors && { errors: errors.map(asGraphQLError) }) }
  }
}

/** What fails between a subgraph's answer and ours is thrown as it is, and Apollo's gateway puts it among the errors. */
function asGraphQLError(error: Error): GraphQLError {
  return error instanceof GraphQLError ? error : new GraphQLError(error.message, { originalError: error })
}
