import { type DocumentNode, type GraphQLSchema, type OperationDefinitionNode, valueFromASTUntyped } from 'graphql'
import { LRUCache } from 'lru-cache'
import { compileActual } from './cost/actual.ts'
import { compileEstimate } from './cost/estimate.ts'
import type { Variables } from './cost/formula.ts'
import { createLevels } from './cost/levels.ts'
import { compileWeights } from './cost/weights.ts'
import { conditionsOf, fragmentsOf, rootTypeOf } from './selections.ts'

export type CostOptions = {
  /** Entries of a list that neither `@listSize` nor its arguments tell the length of, from 1 up. */
  defaultListSize: number
}

/** What one operation costs. */
export type OperationCost = {
  /**
   * At most, as far as lists are as long as they say. The same for the same variables, whether coerced or as they were
   * sent. Throws `BAD_USER_INPUT` where a list wants exactly one slicing argument and gets none or several.
   */
  estimate(variables: Variables): number
  /** What it has cost, by the lengths and the types of its answer. */
  actual(variables: Variables, data: Record<string, unknown> | null): number
}

/** Entries of a list of which nothing tells the length. */
export const defaultListSize = 10
/** The cost above which an operation is refused. */
export const defaultMaxCost = 5_000

/** What is remembered of one operation, for different values of the variables that its `@skip` and `@include` ask. */
const cacheSize = 16

/**
 * What operations cost, by `@cost` and `@listSize`: https://ibm.github.io/graphql-specs/cost-spec.html as Federation
 * composes it, https://specs.apollo.dev/cost, with the defaults and the arithmetic of Apollo Router.
 *
 *     operation = the sum of its root fields, and 10 for each root field of a mutation
 *     field     = entries x (weight + the sum of its selections) + arguments
 *     weight    = @cost of the field, or of the type it returns, or 1 for an object, interface or union, 0 for others
 *     entries   = 1, or for a list the largest slicing argument, or its assumedSize, or `defaultListSize`
 *     argument  = @cost of the argument, or of its type, or 1 for an input object, and the same for what is in it
 *
 * docs/limits.md has the details. Made once per supergraph, and what it returns once per operation: that is for the caller
 * to remember, by the text of the operation. Costs are from 0 to `Number.MAX_SAFE_INTEGER`.
 */
export function compileCosts(supergraph: DocumentNode, schema: GraphQLSchema, { defaultListSize }: CostOptions) {
  const weights = compileWeights(supergraph, schema)

  return function costOf(document: DocumentNode, operation: OperationDefinitionNode): OperationCost {
    const fragments = fragmentsOf(document)
    const defaults = Object.fromEntries(
      (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
        defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
      ),
    )
    const conditions = conditionsOf(document)
    const root = rootTypeOf(schema, operation)

    const plans = new LRUCache<string, ReturnType<typeof plan>>({ max: cacheSize })
    function plan(variables: Variables) {
      const execution = { schema, fragments, variables }
      const levels = createLevels(execution, operation, weights)
      return {
        estimate: compileEstimate(schema, weights, defaultListSize, root, levels),
        actual: compileActual(schema, weights, root, levels),
      }
    }

    function planFor(variables: Variables) {
      const values = conditions.map((name) => variables[name] === true)
      const key = values.map(Number).join('')
      const known = plans.get(key)
      if (known) return known
      const made = plan(Object.fromEntries(conditions.map((name, index) => [name, values[index]])))
      plans.set(key, made)
      return made
    }

    // Clients choose the names: `constructor` is one like any other here.
    const complete = Object.keys(defaults).length === 0
    const withDefaults = (variables: Variables): Variables =>
      complete && Object.getPrototypeOf(variables) === null
        ? variables
        : Object.assign(Object.create(null), defaults, variables)
    return {
      estimate(variables) {
        const all = withDefaults(variables)
        return planFor(all).estimate(all)
      },
      actual(variables, data) {
        const all = withDefaults(variables)
        return planFor(all).actual(all, data)
      },
    }
  }
}
