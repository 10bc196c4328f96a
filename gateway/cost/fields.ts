import {
  type GraphQLArgument,
  type GraphQLOutputType,
  type GraphQLSchema,
  isListType,
  isNonNullType,
  Kind,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql'
import { ServiceError } from '#platform/errors.ts'
import { type Formula, most, type Term, type Variables } from './formula.ts'
import type { AskedField } from './levels.ts'
import type { ListSize, Weights } from './weights.ts'

/** Added for each root field of a mutation. */
const mutationCost = 10
/** Of `__schema` and of `__type`, whatever is asked for below: the gateway answers them from memory. */
const introspectionCost = 100

export function isIntrospection({ definition }: AskedField): boolean {
  return definition.name.startsWith('__')
}

/** What it costs to ask for a field, whatever it returns: its arguments, and the root field of a mutation. */
export function costOfAsking(formula: Formula, schema: GraphQLSchema, weights: Weights, field: AskedField): Term {
  if (isIntrospection(field)) return introspectionCost
  const { parent, definition } = field
  const args = definition.args.flatMap((argument) => {
    const cost = weights.costOfArgument(parent, definition.name, argument.name, argument.type)
    const { fixed, read } = argumentOf(field, argument)
    if (!cost) return []
    return fixed ? cost(read({})) : formula.variable((variables) => cost(read(variables)))
  })
  return formula.sum(parent === schema.getMutationType() ? mutationCost : 0, ...args)
}

/** How many things a field returns: one, or the entries of its list. Those of lists in lists are counted at every depth. */
export function sizeOfField(
  formula: Formula,
  weights: Weights,
  defaultListSize: number,
  field: AskedField,
  sizedBy: AskedField | undefined,
): Term {
  const sizeBy = (sizing: AskedField | undefined, of: (size: ListSize) => boolean): Term | undefined => {
    const size = sizing && weights.listSize(sizing.parent, sizing.definition.name)
    return size && of(size) ? entriesOf(formula, sizing, size, size.assumedSize ?? defaultListSize) : undefined
  }
  const lists = depthOfLists(field.definition.type)
  if (lists === 0) return 1
  const outer =
    sizeBy(sizedBy, ({ sizedFields }) => sizedFields.includes(field.definition.name)) ??
    sizeBy(field, ({ sizedFields }) => sizedFields.length === 0) ??
    defaultListSize
  return formula.product(outer, Math.min(defaultListSize ** (lists - 1), most))
}

export function depthOfLists(type: GraphQLOutputType): number {
  if (isNonNullType(type)) return depthOfLists(type.ofType)
  return isListType(type) ? 1 + depthOfLists(type.ofType) : 0
}

/** The largest of the slicing arguments; without any, the size that is assumed. */
function entriesOf(
  formula: Formula,
  field: AskedField,
  { slicingArguments, requireOneSlicingArgument }: ListSize,
  assumedSize: number,
): Term {
  const values = field.definition.args
    .filter(({ name }) => slicingArguments.includes(name))
    .map((argument) => argumentOf(field, argument))
  const entries = (variables: Variables): number => {
    const given = values.map(({ read }) => read(variables)).filter((value) => value !== undefined && value !== null)
    if (requireOneSlicingArgument && slicingArguments.length > 0 && given.length !== 1)
      throw wantsOne(field, slicingArguments)
    return given.length > 0 ? Math.max(...given.map((value) => entriesIn(value) ?? assumedSize)) : assumedSize
  }
  return values.every(({ fixed }) => fixed) ? entries({}) : formula.variable(entries)
}

/** Undefined for what is no number of entries, from one up: a service refuses it, or answers as though it were not there. */
function entriesIn(value: unknown): number | undefined {
  if (Array.isArray(value)) return value.length || undefined
  const entries = typeof value === 'number' || typeof value === 'string' ? Math.ceil(Number(value)) : Number.NaN
  return entries >= 1 ? Math.min(entries, most) : undefined
}

/** The value of an argument: that of the operation, or else the schema's. Defaults of variables are among the variables. */
function argumentOf({ node }: AskedField, argument: GraphQLArgument) {
  const given = node.arguments?.find(({ name }) => name.value === argument.name)?.value
  const compiled = given && compileValue(given)
  const read = (variables: Variables): unknown => {
    const value = compiled?.(variables)
    return value === undefined ? argument.defaultValue : value
  }
  return { fixed: !given || !hasVariable(given), read }
}

/** What a value of an operation is, once its variables are known: `valueFromASTUntyped`, of which the most is done before. */
function compileValue(value: ValueNode): (variables: Variables) => unknown {
  if (!hasVariable(value)) {
    const known = valueFromASTUntyped(value)
    return () => known
  }
  if (value.kind === Kind.LIST) {
    const elements = value.values.map(compileValue)
    return (variables) => elements.map((element) => element(variables))
  }
  if (value.kind === Kind.OBJECT) {
    const fields = value.fields.map(({ name, value }) => [name.value, compileValue(value)] as const)
    return (variables) => {
      const object: Record<string, unknown> = Object.create(null)
      for (const [name, field] of fields) object[name] = field(variables)
      return object
    }
  }
  return value.kind === Kind.VARIABLE ? (variables) => variables[value.name.value] : () => undefined
}

function hasVariable(value: ValueNode): boolean {
  if (value.kind === Kind.LIST) return value.values.some(hasVariable)
  if (value.kind === Kind.OBJECT) return value.fields.some((field) => hasVariable(field.value))
  return value.kind === Kind.VARIABLE
}

function wantsOne({ parent, definition }: AskedField, slicingArguments: readonly string[]): ServiceError {
  return new ServiceError(
    'BAD_USER_INPUT',
    `${parent.name}.${definition.name} wants exactly one of: ${slicingArguments.join(', ')}.`,
    { ...(slicingArguments[0] && { field: slicingArguments[0] }) },
  )
}
