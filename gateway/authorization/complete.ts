import {
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isAbstractType,
  isListType,
  isNonNullType,
  isObjectType,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'
import { collectFields, type Execution, fieldOf, rootTypeOf } from './fields.ts'
import { type Filtered, typeAlias } from './filter.ts'

export type Path = readonly (string | number)[]
type Data = Record<string, unknown>

/** A null where none may be: it goes to the nearest place above that may be null. */
const propagated = Symbol('null')
/** Objects that are looked into for refused fields although there is no value: operations can be written to have any number. */
const mostUnanswered = 1_000

/**
 * Makes the answer to an operation from the answer to what was left of it. Refused fields are null, with the consequences
 * that GraphQL gives a null, and `onRefused` is told the place of each. Where what would hold them is null or was not asked
 * for, their place is told without the indices of lists.
 */
export function completeData(
  execution: Execution,
  operation: OperationDefinitionNode,
  { dirty, removed }: Filtered,
  data: Data | null,
  onRefused: (path: Path) => void,
): Data | null {
  const { schema } = execution
  let unanswered = 0
  /** Asked for in several places, of which one may be allowed: on a type, say, and on an interface that others share. */
  const isRefused = (nodes: readonly FieldNode[]) => nodes.every((node) => removed.has(node))

  function completeObject(type: GraphQLObjectType, sets: SelectionSetNode[], data: Data, path: Path): Data | symbol {
    // Clients choose the names: `__proto__` is one like any other here.
    const completed: Data = Object.create(null)
    for (const [name, nodes] of collectFields(execution, type, sets)) {
      const field = fieldOf(schema, type, fieldNameOf(nodes))
      const here = [...path, name]
      if (isRefused(nodes)) {
        onRefused(here)
        if (!field || isNonNullType(field.type)) return propagated
        completed[name] = null
      } else if (field && nodes.some((node) => dirty.has(node))) {
        const value = completeValue(field.type, setsOf(nodes), data[name], here)
        if (value === propagated) return propagated
        completed[name] = value
      } else if (Object.hasOwn(data, name)) completed[name] = data[name]
    }
    return completed
  }

  function completeValue(type: GraphQLOutputType, sets: SelectionSetNode[], value: unknown, path: Path): unknown {
    if (isNonNullType(type)) return completeValue(type.ofType, sets, value, path) ?? propagated
    if (value === null || value === undefined) {
      lookBelow(getNamedType(type), sets, path)
      return null
    }
    if (isListType(type)) {
      const list = value as unknown[]
      if (list.length === 0) lookBelow(getNamedType(type), sets, path)
      const completed = list.map((item, index) => completeValue(type.ofType, sets, item, [...path, index]))
      return completed.includes(propagated) ? null : completed
    }
    const runtime = isAbstractType(type) ? schema.getType(String((value as Data)[typeAlias])) : type
    const completed = isObjectType(runtime) ? completeObject(runtime, sets, value as Data, path) : propagated
    return completed === propagated ? null : completed
  }

  /** Tells the places of refused fields below one that has no value. */
  function lookBelow(type: GraphQLOutputType, sets: SelectionSetNode[], path: Path): void {
    const types = isAbstractType(type) ? schema.getPossibleTypes(type) : isObjectType(type) ? [type] : []
    for (const object of types) {
      if (unanswered++ > mostUnanswered) return
      for (const [name, nodes] of collectFields(execution, object, sets)) {
        const here = [...path, name]
        if (isRefused(nodes)) onRefused(here)
        else if (nodes.some((node) => dirty.has(node))) {
          const field = fieldOf(schema, object, fieldNameOf(nodes))
          if (field) lookBelow(getNamedType(field.type), setsOf(nodes), here)
        }
      }
    }
  }

  const root = rootTypeOf(schema, operation)
  if (!data) {
    lookBelow(root, [operation.selectionSet], [])
    return null
  }
  const completed = completeObject(root, [operation.selectionSet], data, [])
  return typeof completed === 'symbol' ? null : completed
}

/** Fields that are answered under one name are the same field. */
function fieldNameOf([node]: readonly FieldNode[]): string {
  return node?.name.value ?? ''
}

function setsOf(nodes: readonly FieldNode[]): SelectionSetNode[] {
  return nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
}
