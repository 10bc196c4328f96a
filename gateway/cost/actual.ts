import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
} from 'graphql'
import { costOfAsking, depthOfLists, isIntrospection } from './fields.ts'
import { bounded, createFormula, type Variables } from './formula.ts'
import type { AskedField, Level, Levels } from './levels.ts'
import type { Weights } from './weights.ts'

type Data = Record<string, unknown>

/** Makes a function that tells what an operation has cost, from its answer. */
export function compileActual(schema: GraphQLSchema, weights: Weights, root: GraphQLObjectType, levels: Levels) {
  const costsOfAsking = new Map<AskedField, (variables: Variables) => number>()
  function asking(field: AskedField): (variables: Variables) => number {
    const formula = createFormula()
    const known = costsOfAsking.get(field) ?? formula.compile(costOfAsking(formula, schema, weights, field))
    costsOfAsking.set(field, known)
    return known
  }

  return function actual(variables: Variables, data: Data | null): number {
    function costOfObject(level: Level, type: GraphQLObjectType, data: Data | null): number {
      let cost = 0
      for (const field of level.fieldsOf(type)) {
        if (!data) cost += costOfField(field, null)
        else if (Object.hasOwn(data, field.name)) cost += costOfField(field, data[field.name])
      }
      return bounded(cost)
    }

    function costOfField(field: AskedField, value: unknown): number {
      const cost = asking(field)(variables)
      if (isIntrospection(field)) return cost
      const { parent, definition } = field
      const type = getNamedType(definition.type)
      const own = weights.weightOfField(parent, definition.name)
      const costOfValue = (value: unknown): number => {
        if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + costOfValue(item), 0)
        if (value === null || typeof value !== 'object' || !field.below) return own ?? weights.weightOfType(type)
        const runtime = typeOf(field.below, type, value as Data)
        if (!runtime) return own ?? 0
        return bounded((own ?? weights.weightOfType(runtime)) + costOfObject(field.below, runtime, value as Data))
      }
      // A service was asked for what is null, but no list has an entry then.
      if (value === null && depthOfLists(definition.type) > 0) return cost
      return bounded(costOfValue(value) + cost)
    }

    /** The type of an object: as the answer names it, or else the one whose fields it has most of. */
    function typeOf(level: Level, type: GraphQLNamedType, data: Data): GraphQLObjectType | undefined {
      if (isObjectType(type)) return type
      if (!isAbstractType(type)) return undefined
      const named = schema.getType(String(data.__typename))
      if (isObjectType(named) && schema.isSubType(type, named)) return named
      const present = (object: GraphQLObjectType) =>
        level.fieldsOf(object).filter(({ name }) => Object.hasOwn(data, name)).length
      return schema.getPossibleTypes(type).reduce((best, object) => (present(object) > present(best) ? object : best))
    }

    // Without any data the root fields were asked for all the same.
    return costOfObject(levels.root, root, data)
  }
}
