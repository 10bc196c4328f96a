import type { ApolloServerPlugin } from '@apollo/server'
import {
  type DocumentNode,
  execute,
  type GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  Kind,
} from 'graphql'
import { LRUCache } from 'lru-cache'

/** Bytes of the texts that are known at the most. What is parsed of them takes some ten times that. */
const mostBytes = 2 * 1024 * 1024

export type KnownOperationsOptions = {
  schema: GraphQLSchema
  /** What is told of an error. */
  format: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError
}

type Known = { readonly document: DocumentNode; readonly name: string | undefined }

/**
 * Operations that Apollo Server has parsed and found valid. The gateway sends the same few again and again: these are executed at
 * once. Whatever else is wrong with a request, or special about it, is for Apollo Server to answer.
 *
 * Guarantee: what is answered here is what Apollo Server would have answered, byte for byte.
 */
export function createKnownOperations({ schema, format }: KnownOperationsOptions) {
  const known = new LRUCache<string, Known>({ maxSize: mostBytes, sizeCalculation: (_known, text) => text.length * 2 })

  /** Learns the operations of documents that hold one. */
  const plugin: ApolloServerPlugin = {
    async requestDidStart() {
      return {
        async didResolveOperation({ source, document }) {
          const [operation, another] = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
          if (operation?.kind !== Kind.OPERATION_DEFINITION || another) return
          known.set(source, { document, name: operation.name?.value })
        },
      }
    },
  }

  function find(body: unknown): (Known & { readonly variables: Record<string, unknown> | undefined }) | undefined {
    if (!isRecord(body)) return undefined
    const { query, variables, operationName, extensions } = body
    if (typeof query !== 'string' || (extensions !== undefined && extensions !== null)) return undefined
    if (variables !== undefined && variables !== null && !isRecord(variables)) return undefined
    const found = known.get(query)
    if (!found || (operationName !== undefined && operationName !== null && operationName !== found.name)) {
      return undefined
    }
    return { ...found, variables: variables ?? undefined }
  }

  return {
    plugin,
    /** The answer to a request's body. Undefined, with nothing done, where Apollo Server has to answer. */
    async answer(body: unknown, createContext: () => unknown): Promise<string | undefined> {
      const operation = find(body)
      if (!operation) return undefined
      const { document, variables: variableValues } = operation
      const result = await execute({ schema, document, variableValues, contextValue: createContext() })
      // Without data nothing was executed: the variables do not fit.
      if (result.data === undefined) return undefined
      const { errors, data, extensions } = result
      return `${JSON.stringify({ errors: errors?.map((error) => format(formatted(error), error)), data, extensions })}\n`
    },
  }
}

function formatted(error: GraphQLError): GraphQLFormattedError {
  const { code = 'INTERNAL_SERVER_ERROR', ...extensions } = error.extensions
  return { ...error.toJSON(), extensions: { ...extensions, code } }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
