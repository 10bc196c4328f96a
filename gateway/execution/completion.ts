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
import { type Data, isInherited, isObject } from '../objects.ts'
import { collectFields, type Execution, fieldOf, rootTypeOf } from '../selections.ts'
import { leafCheck, plainOf } from './leaves.ts'
import { type Answering, type CompleteValue, completeObject, type Field, failed, propagated } from './projection.ts'

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
  /** Under which name subgraphs were asked for a field. */
  sourceOf: (field: FieldNode) => string
}

/**
 * Compiles the selections of an operation, with the values of its conditions, into a projection: what was asked for, in the order of
 * the specification, nulls where something is missing, and the consequences of a null where none may be.
 * https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
 */
export function compileCompletion(operation: OperationDefinitionNode, options: CompletionOptions): Complete {
  const { schema } = options
  const root = compileObject(rootTypeOf(schema, operation), [operation.selectionSet], 0)
  return (data, variables) => {
    const errors: GraphQLError[] = []
    const completed = root(data, { errors, variables, at: [] })
    return { data: typeof completed === 'symbol' ? null : completed, errors }
  }

  /** Of a type that is known. An interface is one too, where a subgraph knows no better. */
  function compileObject(type: GraphQLCompositeType, sets: readonly SelectionSetNode[], depth: number) {
    let fields: readonly Field[] | undefined
    let ordinary = true
    return (value: Data, answering: Answering): Data | typeof failed => {
      if (!fields) {
        fields = [...collectFields(options, type, sets)].map(([name, nodes]) => compileField(type, name, nodes, depth))
        ordinary = !fields.some(({ name, source, inherited }) => inherited || name !== source)
      }
      return completeObject(value, fields, ordinary, answering)
    }
  }

  function compileField(type: GraphQLCompositeType, name: string, nodes: readonly FieldNode[], depth: number): Field {
    const [node] = nodes
    const fieldName = node?.name.value ?? ''
    const source = node ? options.sourceOf(node) : name
    const returned = fieldOf(schema, type, fieldName)?.type
    return {
      name,
      source,
      inherited: isInherited(source),
      plain: returned && !fieldName.startsWith('__') ? plainOf(returned) : undefined,
      complete: completionOf(type, fieldName, nodes, depth),
    }
  }

  function completionOf(
    type: GraphQLCompositeType,
    name: string,
    nodes: readonly FieldNode[],
    depth: number,
  ): CompleteValue {
    if (name === '__typename') return () => (isObjectType(type) ? type.name : propagated)
    if (name === '__schema' || name === '__type') {
      return (_value, _key, { variables }) => options.introspect(nodes, variables)
    }
    const field = fieldOf(schema, type, name)
    // Of an interface whose type nobody knows, fields of its types are not told.
    if (!field) return () => null
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return compileValue(field.type, sets, type, depth)
  }

  function compileValue(
    type: GraphQLOutputType,
    sets: readonly SelectionSetNode[],
    parent: GraphQLCompositeType,
    depth: number,
  ): CompleteValue {
    if (isNonNullType(type)) return nonNull(compileValue(type.ofType, sets, parent, depth), type.ofType, parent, depth)
    if (isListType(type)) return list(compileValue(type.ofType, sets, parent, depth + 1), type, parent, depth)
    if (isCompositeType(type)) return compileComposite(type, sets, parent, depth)
    const check = leafCheck(type)
    if (!check) return (value) => value ?? null
    return (value, key, answering) => {
      if (value === null || value === undefined) return null
      if (check(value)) return value
      return invalid(`Invalid value found for ${described(key, type, parent)}.`, depth, key, answering)
    }
  }

  function compileComposite(
    type: GraphQLCompositeType,
    sets: readonly SelectionSetNode[],
    parent: GraphQLCompositeType,
    depth: number,
  ): CompleteValue {
    const ofType = compileObject(type, sets, depth + 1)
    const byName = new Map([[type.name, ofType]])
    const abstract = isAbstractType(type)
    function ofName(name: unknown) {
      if (typeof name !== 'string') return undefined
      const known = byName.get(name)
      if (known) return known
      const runtime = schema.getType(name)
      if (!isCompositeType(runtime)) return undefined
      const made = compileObject(runtime, sets, depth + 1)
      byName.set(name, made)
      return made
    }
    return (value, key, answering) => {
      if (value === null || value === undefined) return null
      if (!isObject(value))
        return invalid(`Invalid value found for ${described(key, type, parent)}.`, depth, key, answering)
      const name = value.__typename
      const complete = name === type.name || (!name && !abstract) ? ofType : ofName(name || type.name)
      if (!complete)
        return invalid(`Invalid __typename found for object at ${described(key, type, parent)}.`, depth, key, answering)
      answering.at[depth] = key
      return complete(value, answering)
    }
  }
}

function nonNull(
  inner: CompleteValue,
  type: GraphQLOutputType,
  parent: GraphQLCompositeType,
  depth: number,
): CompleteValue {
  return (value, key, answering) => {
    const completed = inner(value, key, answering)
    if (completed === failed) return propagated
    if (completed !== null) return completed
    invalid(`Cannot return null for non-nullable ${described(key, type, parent)}.`, depth, key, answering)
    return propagated
  }
}

function list(
  inner: CompleteValue,
  type: GraphQLOutputType,
  parent: GraphQLCompositeType,
  depth: number,
): CompleteValue {
  return (value, key, answering) => {
    if (value === null || value === undefined) return null
    if (!Array.isArray(value))
      return invalid(`Invalid value found for ${described(key, type, parent)}.`, depth, key, answering)
    answering.at[depth] = key
    let whole = true
    let completed: unknown[] = value
    for (let index = 0; index < value.length; index++) {
      const found = value[index]
      const element = inner(found, index, answering)
      if (element === found) continue
      if (element === propagated) whole = false
      if (completed === value) completed = value.slice()
      completed[index] = element === failed ? null : element
    }
    return whole ? completed : failed
  }
}

function invalid(message: string, depth: number, key: string | number, { errors, at }: Answering): typeof failed {
  const path = [...at.slice(0, depth), key]
  errors.push(new GraphQLError(message, { path, extensions: { code: 'INVALID_GRAPHQL' } }))
  return failed
}

function described(key: string | number, type: GraphQLOutputType, parent: GraphQLCompositeType): string {
  return typeof key === 'string' ? `field ${parent.name}.${key}` : `array element of type ${type} at index ${key}`
}
