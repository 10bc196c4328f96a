import type { DocumentNode, OperationDefinitionNode } from 'graphql'
import { conditionsOf, fragmentsOf, holding, selectionsIn } from '../selections.ts'
import type { Variables } from './formula.ts'

/** Combinations of conditions that are remembered of one operation. Others cost anew. */
const mostRemembered = 64

/** What it costs to plan an operation, which is done anew for each combination of its conditions: one for each selection, once. */
export type PlanningCost = {
  estimate(variables: Variables): number
  /** Somebody was charged for it. */
  charged(variables: Variables): void
}

export function planningCostOf(document: DocumentNode, operation: OperationDefinitionNode): PlanningCost {
  const conditions = conditionsOf(document)
  const selections = selectionsIn(operation, fragmentsOf(document))
  const planned = new Set<string>()
  return {
    estimate: (variables) => (planned.has(holding(conditions, variables)) ? 0 : selections),
    charged(variables) {
      if (planned.size < mostRemembered) planned.add(holding(conditions, variables))
    },
  }
}
