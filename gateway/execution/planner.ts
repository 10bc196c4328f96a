import type { Schema } from '@apollo/federation-internals'
import { operationFromDocument } from '@apollo/federation-internals'
import type { ApolloGateway } from '@apollo/gateway'
import type { QueryPlan, QueryPlanner } from '@apollo/query-planner'
import type { DocumentNode, GraphQLSchema } from 'graphql'

/** What Apollo's gateway has made of a supergraph schema. */
export type Planning = {
  /** With what clients do not see. */
  readonly schema: GraphQLSchema
  /** Plans an operation of a valid document. Throws a GraphQLError for one that cannot be planned. */
  readonly plan: (document: DocumentNode, operationName?: string) => QueryPlan
}

/** What a gateway that has loaded a supergraph schema plans with. It has no public names for them. */
type Loaded = { apiSchema?: Schema; supergraphSchema?: GraphQLSchema; queryPlanner?: QueryPlanner }

/** The planner of Apollo's gateway. Throws when a release of it keeps it elsewhere. */
export function planningOf(gateway: ApolloGateway): Planning {
  const { apiSchema, supergraphSchema, queryPlanner }: Loaded = {
    apiSchema: Reflect.get(gateway, 'apiSchema'),
    supergraphSchema: Reflect.get(gateway, 'supergraphSchema'),
    queryPlanner: Reflect.get(gateway, 'queryPlanner'),
  }
  if (!apiSchema || !supergraphSchema || !queryPlanner)
    throw new Error('This @apollo/gateway keeps its planner elsewhere.')
  return {
    schema: supergraphSchema,
    plan(document, operationName) {
      const operation = operationFromDocument(apiSchema, document, { ...(operationName && { operationName }) })
      return queryPlanner.buildQueryPlan(operation)
    },
  }
}
