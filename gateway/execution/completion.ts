import {
  type FieldNode,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLOutputType,
  isAbstractType,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'
import { type Data, isInherited, isObject, own } from '../objects.ts'
import { collectFields, type Execution, fieldOf, rootTypeOf } from '../selections.ts'
import { leafCheck } from './leaves.ts'
import type { Path } from './places.ts'

/** Makes the answer to an operation from what subgraphs answered. */
export type Complete = (
  data: Data,
  /** As the client sent them. */
  variables: Readonly<Record<string, unknown>>,
) => {
  /** Null when something may not be null that is, at every level up to the top. */
  readonly data: Data | null
  /** What subgraphs answered that is not of the schema. */
  readonly errors: readonly GraphQLError[]
}

export type CompletionOptions = Execution & {
  /** Answers `__schema` and `__type`. */
  introspect: (fields: readonly FieldNode[], variables: Readonly<Record<string, unknown>>) => unknown
}

/** A null whose reason is told already. */
const failed = Symbol('failed')
/** The same, where none may be: what holds it is null too. */
const propagated = Symbol('propagated')

/** Where a value stands. Read when something is wrong with it. */
type Place = { readonly above: Place | undefined; readonly key: string | number }
/** An answer that is being made. */
type Answering = { readonly errors: GraphQLError[]; readonly variables: Readonly<Record<string, unknown>> }
/** The value as the client gets it, null, or one of the two above. */
type CompleteValue = (value: unknown, above: Place | undefined, key: string | number, answering: Answering) => unknown

type Field = {
  readonly name: string
  /** Whether every object has something by this name. */
  readonly inherited: boolean
  readonly complete: CompleteValue
}

/**
 * Compiles the selections of an operation, with the values of its conditions, into a projection: what was asked for, in the order of
 * the specification, nulls where something is missing, and the consequences of a null where none may be.
 * https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
 */
export function compileCompletion(operation: OperationDefinitionNode, options: CompletionOptions): Complete {
  const { schema } = options
  const root = compileObject(rootTypeOf(schema, operation), [operation.selectionSet])
  return (data, variables) => {
    const errors: GraphQLError[] = []
    const completed = root(data, undefined, { errors, variables })
    return { data: typeof completed === 'symbol' ? null : completed, errors }
  }

  /** Of a type that is known. An interface is one too, where a subgraph knows no better. */
  function compileObject(type: GraphQLCompositeType, sets: readonly SelectionSetNode[]) {
    let fields: readonly Field[] | undefined
    let ordinary = true
    return (value: Data, place: Place | undefined, answering: Answering): Data | typeof failed => {
      if (!fields) {
        fields = [...collectFields(options, type, sets)].map(([name, nodes]) => compileField(type, name, nodes))
        ordinary = !fields.some(({ inherited }) => inherited)
      }
      const completed: Data = ordinary ? {} : Object.create(null)
      for (const field of fields) {
        const { name } = field
        const result = field.complete(field.inherited ? own(value, name) : value[name], place, name, answering)
        if (result === propagated) return failed
        completed[name] = result === failed ? null : result
      }
      return completed
    }
  }

  function compileField(type: GraphQLCompositeType, name: string, nodes: readonly FieldNode[]): Field {
    const fieldName = nodes[0]?.name.value ?? ''
    return { name, inherited: isInherited(name), complete: completionOf(type, fieldName, nodes) }
  }

  function completionOf(type: GraphQLCompositeType, name: string, nodes: readonly FieldNode[]): CompleteValue {
    if (name === '__typename') return () => (isObjectType(type) ? type.name : propagated)
    if (name === '__schema' || name === '__type') {
      return (_value, _above, _key, { variables }) => options.introspect(nodes, variables)
    }
    const field = fieldOf(schema, type, name)
    // Of an interface whose type nobody knows, fields of its types are not told.
    if (!field) return () => null
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return compileValue(field.type, sets, type)
  }

  function compileValue(
    type: GraphQLOutputType,
    sets: readonly SelectionSetNode[],
    parent: GraphQLCompositeType,
  ): CompleteValue {
    if (isNonNullType(type)) return nonNull(compileValue(type.ofType, sets, parent), type.ofType, parent)
    if (isListType(type)) return list(compileValue(type.ofType, sets, parent), type, parent)
    if (isCompositeType(type)) return compileComposite(type, sets, parent)
    const check = leafCheck(type)
    if (!check) return (value) => value ?? null
    return (value, above, key, answering) => {
      if (value === null || value === undefined) return null
      if (check(value)) return value
      return invalid(`Invalid value found for ${described(key, type, parent)}.`, { above, key }, answering)
    }
  }

  function compileComposite(
    type: GraphQLCompositeType,
    sets: readonly SelectionSetNode[],
    parent: GraphQLCompositeType,
  ): CompleteValue {
    const ofType = compileObject(type, sets)
    const byName = new Map([[type.name, ofType]])
    const abstract = isAbstractType(type)
    function ofName(name: unknown) {
      if (typeof name !== 'string') return undefined
      const known = byName.get(name)
      if (known) return known
      const runtime = schema.getType(name)
      if (!isCompositeType(runtime)) return undefined
      const made = compileObject(runtime, sets)
      byName.set(name, made)
      return made
    }
    return (value, above, key, answering) => {
      if (value === null || value === undefined) return null
      const place = { above, key }
      if (!isObject(value)) return invalid(`Invalid value found for ${described(key, type, parent)}.`, place, answering)
      const name = value.__typename
      const complete = name === type.name || (!name && !abstract) ? ofType : ofName(name || type.name)
      if (complete) return complete(value, place, answering)
      return invalid(`Invalid __typename found for object at ${described(key, type, parent)}.`, place, answering)
    }
  }
}

function nonNull(inner: CompleteValue, type: GraphQLOutputType, parent: GraphQLCompositeType): CompleteValue {
  return (value, above, key, answering) => {
    const completed = inner(value, above, key, answering)
    if (completed === failed) return propagated
    if (completed !== null) return completed
    invalid(`Cannot return null for non-nullable ${described(key, type, parent)}.`, { above, key }, answering)
    return propagated
  }
}

function list(inner: CompleteValue, type: GraphQLOutputType, parent: GraphQLCompositeType): CompleteValue {
  return (value, above, key, answering) => {
    if (value === null || value === undefined) return null
    const place = { above, key }
    if (!Array.isArray(value))
      return invalid(`Invalid value found for ${described(key, type, parent)}.`, place, answering)
    let whole = true
    const completed = new Array(value.length)
    for (let index = 0; index < value.length; index++) {
      const element = inner(value[index], place, index, answering)
      if (element === propagated) whole = false
      completed[index] = element === failed ? null : element
    }
    return whole ? completed : failed
  }
}

function invalid(message: string, place: Place, { errors }: Answering): typeof failed {
  errors.push(new GraphQLError(message, { path: pathOf(place), extensions: { code: 'INVALID_GRAPHQL' } }))
  return failed
}

function pathOf(place: Place): Path {
  const path: (string | number)[] = []
  for (let at: Place | undefined = place; at; at = at.above) path.push(at.key)
  return path.reverse()
}

function described(key: string | number, type: GraphQLOutputType, parent: GraphQLCompositeType): string {
  return typeof key === 'string' ? `field ${parent.name}.${key}` : `array element of type ${type} at index ${key}`
}
