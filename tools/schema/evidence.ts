import { parse } from 'graphql'
import { anything, type SchemaChange } from './changes.ts'
import { type ContractChange, sentCoordinate } from './contracts.ts'
import { type RecordedOperation, readDocument } from './operations.ts'
import { fetchesOf, type Planner } from './plans.ts'
import { usedBy } from './usage.ts'

/** Tells which recorded operations notice a change, by their ids. */
export type Evidence = {
  readonly ofClients: (change: SchemaChange) => string[]
  /** Those whose plan, as gateways have it that do not know the change yet, asks this subgraph for what changed. */
  readonly ofPlans: (change: ContractChange) => string[]
}

/** By the id of an operation, of which there are two where it changed. */
type Uses = Iterable<readonly [string, ReadonlySet<string>]>

/**
 * What recorded operations use of a graph, and what their plans use of each subgraph. An operation that is not valid for the
 * graph uses nothing of it.
 */
export function gatherEvidence(planner: Planner, operations: readonly RecordedOperation[]): Evidence {
  const documents = operations.flatMap((operation) => {
    const { document } = readDocument(operation, planner.api)
    return document ? [{ id: operation.id, document }] : []
  })
  const ofClients = documents.map(({ id, document }) => [id, usedBy(planner.api, document)] as const)
  const subgraphs = planner.subgraphs()
  const ofSubgraphs = new Map<string, Map<string, Set<string>>>()
  for (const { id, document } of documents) {
    for (const { serviceName, operation, requires = [] } of fetchesOf(planner.plan(document))) {
      const schema = subgraphs.get(serviceName)
      if (!schema) continue
      const uses = ofSubgraphs.get(serviceName) ?? new Map<string, Set<string>>()
      ofSubgraphs.set(serviceName, uses)
      const used = uses.get(id) ?? new Set<string>()
      uses.set(id, used)
      for (const coordinate of usedBy(schema, parse(operation))) used.add(coordinate)
      for (const coordinate of requires.flatMap(sentIn)) used.add(coordinate)
    }
  }
  return {
    ofClients: ({ felt }) => noticing(felt, ofClients),
    ofPlans: ({ felt, subgraph }) => noticing(felt, ofSubgraphs.get(subgraph) ?? new Map()),
  }
}

type Required = NonNullable<ReturnType<typeof fetchesOf>[number]['requires']>[number]

/** What a representation sends, a coordinate for each of its fields. */
function sentIn(node: Required): string[] {
  if (node.kind !== 'InlineFragment' || !node.typeCondition) return []
  const { typeCondition, selections } = node
  return leavesOf(selections).map((leaf) => sentCoordinate(typeCondition, leaf))
}

function leavesOf(nodes: readonly Required[]): string[] {
  return nodes.flatMap((node) => {
    if (node.kind === 'InlineFragment')
      return leavesOf(node.selections).map((leaf) => `...${node.typeCondition}.${leaf}`)
    return node.selections ? leavesOf(node.selections).map((leaf) => `${node.name}.${leaf}`) : [node.name]
  })
}

function noticing(felt: SchemaChange['felt'], uses: Uses): string[] {
  const isFelt = (used: ReadonlySet<string>) =>
    felt.some((what) => what === anything || [what].flat().every((each) => used.has(each)))
  return [...new Set([...uses].filter(([, used]) => isFelt(used)).map(([id]) => id))].sort()
}
