import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql'
import type { Data } from '../objects.ts'

/** Whether an object is of a type, or of one that a type includes. Of an object that does not say what it is: `unknown`. */
export function isOfType(
  schema: GraphQLSchema,
  { __typename: name }: Data,
  condition: string,
  unknown: boolean,
): boolean {
  if (!name) return unknown
  if (name === condition) return true
  const type = schema.getType(String(name))
  const wider = schema.getType(condition)
  return isAbstractType(wider) && (isObjectType(type) || isInterfaceType(type)) && schema.isSubType(wider, type)
}
