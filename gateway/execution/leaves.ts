import { type GraphQLLeafType, isEnumType, isSpecifiedScalarType } from 'graphql'

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
