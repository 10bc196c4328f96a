import {
  type GraphQLNamedOutputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
} from 'graphql'
import { costOfAsking, isIntrospection, sizeOfField } from './fields.ts'
import { createFormula, most, type Term, type Variables } from './formula.ts'
import type { AskedField, Level, Levels } from './levels.ts'
import type { Weights } from './weights.ts'

/**
 * Selections that are looked at, each once per type and place that differ. Operations that people write have hundreds;
 * one that has more was made to be hard to look at, and costs the most there is.
 */
const mostSelections = 20_000
/** Fields in one another. Deeper operations cost the most there is. */
const mostNested = 500

/** Makes a function of the variables that tells what an operation costs at most. */
export function compileEstimate(
  schema: GraphQLSchema,
  weights: Weights,
  defaultListSize: number,
  root: GraphQLObjectType,
  levels: Levels,
): (variables: Variables) => number {
  const formula = createFormula()
  const known = new Map<string, Term>()

  function costOfLevel(level: Level, type: GraphQLNamedOutputType, nested: number): Term {
    const key = `${level.id} ${type.name}`
    const before = known.get(key)
    if (before !== undefined) return before
    if (nested > mostNested) return most
    // A level that holds itself, as no valid operation does, is met here again while it is looked at.
    known.set(key, most)
    const types = isAbstractType(type) ? schema.getPossibleTypes(type) : isObjectType(type) ? [type] : []
    const cost = formula.largest(...types.map((object) => costOfObject(level, object, nested)))
    known.set(key, cost)
    return cost
  }

  function costOfObject(level: Level, type: GraphQLObjectType, nested: number): Term {
    if (levels.looked() > mostSelections) return most
    return formula.sum(...level.fieldsOf(type).map((field) => costOfField(field, level, nested)))
  }

  function costOfField(field: AskedField, { sizedBy }: Level, nested: number): Term {
    const asking = costOfAsking(formula, schema, weights, field)
    if (isIntrospection(field)) return asking
    const { parent, definition, below } = field
    const type = getNamedType(definition.type)
    const weight = weights.weightOfField(parent, definition.name) ?? weights.weightOfType(type)
    const each = formula.sum(weight, below ? costOfLevel(below, type, nested + 1) : 0)
    const size = sizeOfField(formula, weights, defaultListSize, field, sizedBy)
    return formula.sum(formula.product(size, each), asking)
  }

  return formula.compile(costOfLevel(levels.root, root, 0))
}
