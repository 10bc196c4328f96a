import {
  type ConstDirectiveNode,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  Kind,
  valueFromASTUntyped,
} from 'graphql'
import { linkedFeatures, specifications } from '../supergraph.ts'
import { most } from './formula.ts'

/** What a supergraph schema says of the length of a list: `@listSize`. */
export type ListSize = {
  /** Entries where no slicing argument has a value. */
  readonly assumedSize: number | undefined
  /** Arguments of which the largest is the number of entries. */
  readonly slicingArguments: readonly string[]
  /** The fields below that have this length, instead of the field itself. */
  readonly sizedFields: readonly string[]
  readonly requireOneSlicingArgument: boolean
}

/** What the value of an argument costs, coerced or as it was sent. */
export type InputCost = (value: unknown) => number

export type Weights = ReturnType<typeof compileWeights>

/** Input objects in one another. Deeper ones cost the most there is. */
const mostNested = 200

/** Reads `@cost` and `@listSize` as a supergraph schema has them, by whatever names. */
export function compileWeights(supergraph: DocumentNode, schema: GraphQLSchema) {
  const { weights, sizes } = declarations(supergraph)

  /** Of one object or value of a type. An abstract type weighs what the heaviest behind it does. */
  function weightOfType(type: GraphQLNamedType): number {
    if (isAbstractType(type)) return Math.max(0, ...schema.getPossibleTypes(type).map(weightOfType))
    return weights.get(type.name) ?? (isCompositeType(type) || isInputObjectType(type) ? 1 : 0)
  }

  /** What stands at a field, or at the same field of an interface of its type. */
  function ofField<Value>(declared: ReadonlyMap<string, Value>, type: GraphQLObjectType, field: string) {
    return [type, ...type.getInterfaces()]
      .map(({ name }) => declared.get(`${name}.${field}`))
      .find((value) => value !== undefined)
  }

  /** Undefined where no value can cost anything. */
  function inputCost(
    coordinate: string,
    type: GraphQLInputType,
  ): ((value: unknown, nested: number) => number) | undefined {
    const named = getNamedType(type)
    const declared = weights.get(coordinate)
    const weight = declared ?? weightOfType(named)
    if (weight === 0 && !isInputObjectType(named)) return undefined
    const cost = (value: unknown, nested: number): number => {
      if (value === null || value === undefined) return 0
      if (nested > mostNested) return most
      if (Array.isArray(value)) return value.reduce((sum, item) => sum + cost(item, nested + 1), declared ?? 0)
      if (!isInputObjectType(named) || typeof value !== 'object') return weight
      return Object.entries(value).reduce(
        (sum, [field, inner]) => sum + (inputFields(named.name).get(field)?.(inner, nested + 1) ?? 0),
        weight,
      )
    }
    return cost
  }

  const fieldsOfInputs = new Map<string, Map<string, (value: unknown, nested: number) => number>>()
  function inputFields(name: string) {
    const known = fieldsOfInputs.get(name)
    if (known) return known
    const type = schema.getType(name)
    const fields = isInputObjectType(type) ? Object.values(type.getFields()) : []
    const costs = new Map(
      fields.flatMap((field) => {
        const cost = inputCost(`${name}.${field.name}`, field.type)
        return cost ? [[field.name, cost] as const] : []
      }),
    )
    fieldsOfInputs.set(name, costs)
    return costs
  }

  return {
    weightOfType,
    /** Of each thing that a field returns. Undefined: it is its type's. */
    weightOfField: (type: GraphQLObjectType, field: string): number | undefined => ofField(weights, type, field),
    listSize: (type: GraphQLObjectType, field: string): ListSize | undefined => ofField(sizes, type, field),
    costOfArgument(
      type: GraphQLObjectType,
      field: string,
      argument: string,
      of: GraphQLInputType,
    ): InputCost | undefined {
      const cost = inputCost(`${type.name}.${field}(${argument}:)`, of)
      return cost && ((value) => cost(value, 0))
    },
  }
}

/** By coordinate: `Type`, `Type.field`, `Type.field(argument:)`, `Input.field`. */
function declarations(supergraph: DocumentNode) {
  const feature = linkedFeatures(supergraph).find(({ identity }) => identity === `${specifications}/cost`)
  const weights = new Map<string, number>()
  const sizes = new Map<string, ListSize>()
  const declare = (coordinate: string, directives: readonly ConstDirectiveNode[] = []) => {
    for (const directive of directives) {
      if (directive.name.value === feature?.nameOf('cost')) {
        // A string in IBM's specification, a whole number in Apollo's.
        const weight = Number(argumentsOf(directive).weight)
        if (Number.isFinite(weight)) weights.set(coordinate, weight)
      }
      if (directive.name.value === feature?.nameOf('listSize')) sizes.set(coordinate, listSizeOf(directive))
    }
  }
  for (const node of feature ? supergraph.definitions : []) {
    if (!('name' in node) || !node.name || !('directives' in node)) continue
    if (node.kind === Kind.DIRECTIVE_DEFINITION || node.kind === Kind.OPERATION_DEFINITION) continue
    const { value: type } = node.name
    declare(type, node.directives as readonly ConstDirectiveNode[])
    for (const field of 'fields' in node ? (node.fields ?? []) : []) {
      const coordinate = `${type}.${field.name.value}`
      declare(coordinate, field.directives)
      for (const argument of 'arguments' in field ? (field.arguments ?? []) : [])
        declare(`${coordinate}(${argument.name.value}:)`, argument.directives)
    }
  }
  return { weights, sizes }
}

function listSizeOf(directive: ConstDirectiveNode): ListSize {
  const { assumedSize, slicingArguments, sizedFields, requireOneSlicingArgument } = argumentsOf(directive)
  return {
    assumedSize: typeof assumedSize === 'number' ? Math.max(0, assumedSize) : undefined,
    slicingArguments: (slicingArguments ?? []) as string[],
    sizedFields: (sizedFields ?? []) as string[],
    requireOneSlicingArgument: requireOneSlicingArgument !== false,
  }
}

function argumentsOf({ arguments: args = [] }: ConstDirectiveNode): Record<string, unknown> {
  return Object.fromEntries(args.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]))
}
