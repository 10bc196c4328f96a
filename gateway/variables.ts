import {
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  isInputType,
  isNonNullType,
  typeFromAST,
  type VariableDefinitionNode,
} from 'graphql'
import { isPlain, type Plain, plainOf } from './execution/leaves.ts'

export type Variables = Readonly<Record<string, unknown>>

/** The values as the schema has them, with defaults, or what is wrong with them. */
export type Coerced =
  | { readonly coerced: Variables; readonly errors?: never }
  | { readonly coerced?: never; readonly errors: readonly GraphQLError[] }

/** Coerces the variables of one operation. Reports so many errors at the most. */
export type Coerce = (variables: Variables, maxErrors: number) => Coerced

/** A variable whose values are mostly what its type has already. */
type PlainVariable = { readonly name: string; readonly plain: Plain; readonly required: boolean }

/** The largest `Int`, and one below the smallest. https://spec.graphql.org/October2021/#sec-Int */
const largest = 2 ** 31 - 1

/**
 * Looks at the types of an operation's variables once. Text, numbers and truth values that are of their type at a glance are taken
 * as they are; all others are coerced by graphql-js, and so are all together when one is not, so that errors are its own.
 * `hideSuggestions`: they suggest no names of the schema.
 */
export function compileVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
  { hideSuggestions = false }: { hideSuggestions?: boolean } = {},
): Coerce {
  const plain: PlainVariable[] = []
  const others: VariableDefinitionNode[] = []
  for (const definition of definitions) {
    const found = definition.defaultValue ? undefined : plainVariable(schema, definition)
    if (found) plain.push(found)
    else others.push(definition)
  }

  return (variables, maxErrors) => {
    const values: Record<string, unknown> = Object.create(null)
    for (const { name, plain: kind, required } of plain) {
      const value = Object.hasOwn(variables, name) ? variables[name] : undefined
      if (isPlain(kind, value) && (kind !== 'integer' || isInt(Number(value)))) values[name] = value
      else if (value !== undefined || required) return coerceAll(definitions, variables, maxErrors)
    }
    if (others.length === 0) return { coerced: values }
    const rest = coerceAll(others, variables, maxErrors)
    return rest.errors ? rest : { coerced: Object.assign(values, rest.coerced) }
  }

  function coerceAll(some: readonly VariableDefinitionNode[], variables: Variables, maxErrors: number): Coerced {
    const { coerced, errors } = getVariableValues(schema, some, variables, { maxErrors, hideSuggestions })
    return coerced ? { coerced } : { errors: errors ?? [] }
  }
}

function plainVariable(schema: GraphQLSchema, { variable, type }: VariableDefinitionNode): PlainVariable | undefined {
  const known = typeFromAST(schema, type)
  const plain = isInputType(known) ? plainOf(known) : undefined
  return plain && { name: variable.name.value, plain, required: isNonNullType(known) }
}

function isInt(value: number): boolean {
  return value <= largest && value >= -largest - 1
}
