import {
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLID,
  type GraphQLInputType,
  GraphQLInt,
  type GraphQLLeafType,
  type GraphQLOutputType,
  GraphQLString,
  isEnumType,
  isNonNullType,
  isSpecifiedScalarType,
} from 'graphql'

/** Whether what a subgraph answered can be a value of a type. Undefined: anything can, since a custom scalar is what it says. */
export function leafCheck(type: GraphQLLeafType): ((value: unknown) => boolean) | undefined {
  if (isEnumType(type)) {
    const names = new Set(type.getValues().map(({ name }) => name))
    return (value) => typeof value === 'string' && names.has(value)
  }
  return isSpecifiedScalarType(type) ? checks[type.name] : undefined
}

const isInteger = (value: unknown) => Number.isInteger(value)

const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
  Int: isInteger,
  Float: (value) => Number.isFinite(value),
  String: (value) => typeof value === 'string',
  Boolean: (value) => typeof value === 'boolean',
  ID: (value) => typeof value === 'string' || isInteger(value),
}

/** Values that are of a type at a glance. What is not may still be. */
export type Plain = 'text' | 'integer' | 'number' | 'truth'

/** Undefined where no value of a type is known so. */
export function plainOf(type: GraphQLOutputType | GraphQLInputType): Plain | undefined {
  const leaf = isNonNullType(type) ? type.ofType : type
  if (leaf === GraphQLString || leaf === GraphQLID) return 'text'
  if (leaf === GraphQLInt) return 'integer'
  if (leaf === GraphQLFloat) return 'number'
  return leaf === GraphQLBoolean ? 'truth' : undefined
}

/** By a switch and not by functions of their own, since nothing is asked more often. */
export function isPlain(plain: Plain | undefined, value: unknown): boolean {
  switch (plain) {
    case 'text':
      return typeof value === 'string'
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return Number.isFinite(value)
    case 'truth':
      return typeof value === 'boolean'
    default:
      return false
  }
}
