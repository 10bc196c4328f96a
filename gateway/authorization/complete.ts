import {
  type FieldNode,
  type GraphQLField,
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
import { collectFields, type Execution, fieldOf, rootTypeOf } from '../selections.ts'
import type { Filtered } from './filter.ts'

export type Path = readonly (string | number)[]
type Data = Record<string, unknown>
type Sets = readonly SelectionSetNode[]

/** A field that objects of one type are asked for. */
type Asked = {
  /** What it is answered under. */
  readonly name: string
  readonly field: GraphQLField<unknown, unknown> | undefined
  readonly refused: boolean
  /** Whether fields that are refused stand below it. */
  readonly dirty: boolean
  readonly sets: Sets
}
type Fields = {
  readonly fields: readonly Asked[]
  /** Selections that were looked at to find them. */
  readonly visited: number
}
type Place = { readonly above: Place | undefined; readonly key: string | number }

/** A null where none may be: it goes to the nearest place above that may be null. */
const propagated = Symbol('null')
/** Places of refused fields that are told of in one answer. */
const mostPlaces = 100
/** Selections that are looked at for refused fields although there is no value: types behind types can have any number. */
const mostUnanswered = 20_000

/**
 * Makes the answer to an operation from the answer to what was left of it. Refused fields are null, with the consequences
 * that GraphQL gives a null. Where what would hold them is null or was not asked for, their place is told without the
 * indices of lists. Fields are collected once for each type and place in the operation, however long the lists are.
 */
export function createCompletion(
  execution: Execution,
  operation: OperationDefinitionNode,
  { dirty, removed, typeAlias }: Filtered,
) {
  const { schema } = execution
  const root = rootTypeOf(schema, operation)
  const rootSets: Sets = [operation.selectionSet]
  const collected = new Map<Sets, Map<GraphQLObjectType, Fields>>()
  const places = new Map<string, Path>()
  let unanswered = 0

  function asked(type: GraphQLObjectType, sets: Sets): Fields {
    const byType = collected.get(sets) ?? new Map<GraphQLObjectType, Fields>()
    collected.set(sets, byType)
    const known = byType.get(type)
    if (known) return known
    let visited = 0
    const fields = collectFields(execution, type, sets, () => {
      visited++
    })
    const made = { fields: [...fields].map(([name, nodes]) => askedField(type, name, nodes)), visited }
    byType.set(type, made)
    return made
  }

  function askedField(type: GraphQLObjectType, name: string, nodes: readonly FieldNode[]): Asked {
    // Fields that are answered under one name are the same field.
    const field = fieldOf(schema, type, nodes[0]?.name.value ?? '')
    return {
      name,
      field,
      refused: isRefused(nodes),
      dirty: field !== undefined && nodes.some((node) => dirty.has(node)),
      sets: nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    }
  }

  /**
   * Asked for in several places, a field may be refused in some: on an interface that others share, and not on a type. A
   * value is seen where one place is allowed. An object is not, since it would lack what the refused places ask of it.
   */
  function isRefused(nodes: readonly FieldNode[]): boolean {
    return nodes.every((node) => removed.has(node)) || nodes.some((node) => node.selectionSet && removed.has(node))
  }

  function refuse(place: Place): void {
    if (places.size >= mostPlaces) return
    const path = pathOf(place)
    places.set(path.join('.'), path)
  }

  function completeObject(type: GraphQLObjectType, sets: Sets, data: Data, above?: Place): Data | symbol {
    // Clients choose the names: `__proto__` is one like any other here.
    const completed: Data = Object.create(null)
    for (const { name, field, refused, dirty, sets: below } of asked(type, sets).fields) {
      if (refused) {
        refuse({ above, key: name })
        if (!field || isNonNullType(field.type)) return propagated
        completed[name] = null
      } else if (field && dirty) {
        const value = completeValue(field.type, below, data[name], { above, key: name })
        if (value === propagated) return propagated
        completed[name] = value
      } else if (Object.hasOwn(data, name)) completed[name] = data[name]
    }
    return completed
  }

  function completeValue(type: GraphQLOutputType, sets: Sets, value: unknown, place: Place): unknown {
    if (isNonNullType(type)) return completeValue(type.ofType, sets, value, place) ?? propagated
    if (value === null || value === undefined) {
      lookBelow(getNamedType(type), sets, place)
      return null
    }
    if (isListType(type)) {
      const list = value as unknown[]
      if (list.length === 0) lookBelow(getNamedType(type), sets, place)
      const completed = list.map((item, key) => completeValue(type.ofType, sets, item, { above: place, key }))
      return completed.includes(propagated) ? null : completed
    }
    const runtime = isAbstractType(type) ? schema.getType(String((value as Data)[typeAlias])) : type
    const completed = isObjectType(runtime) ? completeObject(runtime, sets, value as Data, place) : propagated
    return completed === propagated ? null : completed
  }

  /** Tells the places of refused fields below one that has no value. */
  function lookBelow(type: GraphQLOutputType, sets: Sets, above?: Place): void {
    const types = isAbstractType(type) ? schema.getPossibleTypes(type) : isObjectType(type) ? [type] : []
    for (const object of types) {
      if (places.size >= mostPlaces || unanswered > mostUnanswered) return
      const { fields, visited } = asked(object, sets)
      unanswered += visited
      for (const { name, field, refused, dirty, sets: below } of fields) {
        if (refused) refuse({ above, key: name })
        else if (field && dirty) lookBelow(getNamedType(field.type), below, { above, key: name })
      }
    }
  }

  function takesAll(type: GraphQLObjectType, sets: Sets): boolean {
    return asked(type, sets).fields.some(({ field, refused, dirty, sets: below }) => {
      if (!field || !isNonNullType(field.type)) return false
      return refused || (dirty && isObjectType(field.type.ofType) && takesAll(field.type.ofType, below))
    })
  }

  return {
    /** Whether nothing can be answered, whatever is fetched: a refused field that may not be null takes all else along. */
    leavesNothing: (): boolean => takesAll(root, rootSets),

    complete(data: Data | null): Data | null {
      if (!data) {
        lookBelow(root, rootSets)
        return null
      }
      const completed = completeObject(root, rootSets, data)
      return typeof completed === 'symbol' ? null : completed
    },

    /** Of the refused fields come upon so far. Undefined stands for one that was not found before the search ended. */
    places(): (Path | undefined)[] {
      return places.size === 0 && unanswered > mostUnanswered ? [undefined] : [...places.values()]
    },
  }
}

export type Completion = ReturnType<typeof createCompletion>

function pathOf(place: Place): Path {
  const path: (string | number)[] = []
  for (let at: Place | undefined = place; at; at = at.above) path.push(at.key)
  return path.reverse()
}
