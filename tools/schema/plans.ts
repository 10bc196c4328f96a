import { operationFromDocument, Supergraph } from '@apollo/federation-internals'
import {
  type FetchNode,
  type PlanNode,
  prettyFormatQueryPlan,
  type QueryPlan,
  QueryPlanner,
  type SubscriptionNode,
} from '@apollo/query-planner'
import type { DocumentNode } from 'graphql'
import { mostPlans } from '../../gateway/supergraph.ts'

/** A graph that plans operations as the gateway does. */
export function createPlanner(supergraphSdl: string) {
  const supergraph = Supergraph.build(supergraphSdl, { supportedFeatures: null })
  const api = supergraph.apiSchema()
  const planner = new QueryPlanner(supergraph, { debug: { maxEvaluatedPlans: mostPlans } })
  return {
    api: api.toGraphQLJSSchema(),
    /** The schema of each subgraph as the gateway knows it, with what entities are fetched by. */
    subgraphs: () => new Map([...supergraph.subgraphs()].map(({ name, schema }) => [name, schema.toGraphQLJSSchema()])),
    /** Throws for an operation that is not valid. */
    plan: (document: DocumentNode) => planner.buildQueryPlan(operationFromDocument(api, document)),
  }
}

export type Planner = ReturnType<typeof createPlanner>

/** A plan as a tree, as it is committed. */
export function printPlan(plan: QueryPlan): string {
  return `${prettyFormatQueryPlan(plan)}\n`
}

/** Every fetch that a plan can make. */
export function fetchesOf(node: QueryPlan | PlanNode | SubscriptionNode | undefined): FetchNode[] {
  switch (node?.kind) {
    case 'Fetch':
      return [node]
    case 'QueryPlan':
    case 'Flatten':
      return fetchesOf(node.node)
    case 'Sequence':
    case 'Parallel':
      return node.nodes.flatMap(fetchesOf)
    case 'Condition':
      return [...fetchesOf(node.ifClause), ...fetchesOf(node.elseClause)]
    case 'Subscription':
      return [node.primary, ...fetchesOf(node.rest)]
    case 'Defer':
      return [...fetchesOf(node.primary.node), ...node.deferred.flatMap(({ node }) => fetchesOf(node))]
    case undefined:
      return []
  }
}

/** How many fetches a plan makes at the most: of what `@skip` and `@include` choose between, the dearer counts. */
export function countFetches(node: QueryPlan | PlanNode | SubscriptionNode | undefined): number {
  if (node?.kind === 'Condition') return Math.max(countFetches(node.ifClause), countFetches(node.elseClause))
  if (node?.kind === 'Sequence' || node?.kind === 'Parallel') {
    return node.nodes.reduce((sum, child) => sum + countFetches(child), 0)
  }
  if (node?.kind === 'QueryPlan' || node?.kind === 'Flatten') return countFetches(node.node)
  return fetchesOf(node).length
}
