import type { DocumentNode, ExecutionResult, OperationDefinitionNode } from 'graphql'
import type { Principal } from '#platform/principal.ts'
import type { FetchContext } from './forward.ts'

/** What goes along with a request. */
export type GatewayContext = FetchContext & { readonly principal: Principal }

/** An operation that is valid, to be executed for a caller. */
export type Execution = {
  readonly document: DocumentNode
  /** Names the document: the same hash, the same document. */
  readonly hash: string
  /** Characters of its text, all of which a name or a value of the document may keep alive. */
  readonly characters: number
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
