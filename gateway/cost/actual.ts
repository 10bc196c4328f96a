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

/** What is known of a field before there is an answer. */
type KnownField = {
  readonly name: string
  readonly type: GraphQLNamedType
  readonly isList: boolean
  /** Undefined where nothing below counts. */
  readonly below: Level | undefined
  /** Undefined where it costs nothing to ask. */
  readonly asking: ((variables: Variables) => number) | undefined
  /** Of each thing that it returns. Undefined: it is its type's. */
  readonly ownWeight: number | undefined
  /** Of what is null, or has no fields. */
  readonly weight: number
}

/** Makes a function that tells what an operation has cost, from its answer. */
export function compileActual(schema: GraphQLSchema, weights: Weights, root: GraphQLObjectType, levels: Levels) {
  const known = new Map<Level, Map<GraphQLObjectType, readonly KnownField[]>>()

  /** The fields that can cost anything. Most are scalars, and cannot. */
  function fieldsOf(level: Level, type: GraphQLObjectType): readonly KnownField[] {
    const byType = known.get(level) ?? new Map<GraphQLObjectType, readonly KnownField[]>()
    known.set(level, byType)
    const fields =
      byType.get(type) ??
      level
        .fieldsOf(type)
        .map(knownField)
        .filter(({ weight, below, asking }) => weight !== 0 || below || asking)
    byType.set(type, fields)
    return fields
  }

  function knownField(field: AskedField): KnownField {
    const { name, parent, definition, below } = field
    const formula = createFormula()
    const asking = costOfAsking(formula, schema, weights, field)
    const type = getNamedType(definition.type)
    const ownWeight = isIntrospection(field) ? 0 : weights.weightOfField(parent, definition.name)
    return {
      name,
      type,
      isList: depthOfLists(definition.type) > 0,
      below: isIntrospection(field) ? undefined : below,
      asking: asking === 0 ? undefined : formula.compile(asking),
      ownWeight,
      weight: ownWeight ?? weights.weightOfType(type),
    }
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

  return function actual(variables: Variables, data: Data | null): number {
    function costOfObject(level: Level, type: GraphQLObjectType, data: Data | null): number {
      let cost = 0
      for (const field of fieldsOf(level, type)) {
        // Without any data the root fields were asked for all the same.
        if (!data) cost += costOfField(field, null)
        else if (Object.hasOwn(data, field.name)) cost += costOfField(field, data[field.name])
      }
      return bounded(cost)
    }

    function costOfField(field: KnownField, value: unknown): number {
      const asking = field.asking?.(variables) ?? 0
      // A service was asked for what is null, but no list has an entry then.
      return value === null && field.isList ? asking : bounded(bounded(costOfValue(field, value)) + asking)
    }

    function costOfValue(field: KnownField, value: unknown): number {
      if (Array.isArray(value)) {
        let cost = 0
        for (const item of value) cost += costOfValue(field, item)
        return cost
      }
      const { below, type, ownWeight, weight } = field
      if (value === null || typeof value !== 'object' || !below) return weight
      const runtime = typeOf(below, type, value as Data)
      if (!runtime) return weight
      return bounded((ownWeight ?? weights.weightOfType(runtime)) + costOfObject(below, runtime, value as Data))
    }

    return costOfObject(levels.root, root, data)
  }
}
