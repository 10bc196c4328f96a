import {
  type FieldNode,
  type GraphQLField,
  type GraphQLObjectType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
} from 'graphql'
import { collectFields, type Execution, fieldOf } from '../selections.ts'
import type { Weights } from './weights.ts'

/** A field that an object of a type is asked for, with all that asks for it under the same name. */
export type AskedField = {
  /** What it is answered under. */
  readonly name: string
  readonly parent: GraphQLObjectType
  readonly definition: GraphQLField<unknown, unknown>
  /** Any of what asks for it: the arguments are the same in all of them. */
  readonly node: FieldNode
  /** Undefined for a scalar or an enum. */
  readonly below: Level | undefined
}

/** What the objects at one place of an answer are asked for. Two places that are asked for the same are one level. */
export type Level = {
  readonly id: number
  /** The field above, where it says how long the lists of this level are. */
  readonly sizedBy: AskedField | undefined
  fieldsOf(type: GraphQLObjectType): readonly AskedField[]
}

/** Looks at the selections of an operation, level by level, each when it is first asked for. */
export function createLevels(execution: Execution, operation: OperationDefinitionNode, weights: Weights) {
  const ids = new Map<object, number>()
  const levels = new Map<string, Level>()
  let looked = 0

  function idOf(node: object): number {
    const id = ids.get(node) ?? ids.size
    ids.set(node, id)
    return id
  }

  function levelOf(sets: readonly SelectionSetNode[], sizedBy: AskedField | undefined): Level {
    const key = [
      ...sets.map(idOf).sort((a, b) => a - b),
      sizedBy && `${sizedBy.parent.name} ${idOf(sizedBy.node)}`,
    ].join()
    const known = levels.get(key)
    if (known) return known
    const byType = new Map<GraphQLObjectType, readonly AskedField[]>()
    const level: Level = {
      id: levels.size,
      sizedBy,
      fieldsOf(type) {
        const fields = byType.get(type) ?? askedFields(type, sets)
        byType.set(type, fields)
        return fields
      },
    }
    levels.set(key, level)
    return level
  }

  function askedFields(parent: GraphQLObjectType, sets: readonly SelectionSetNode[]): AskedField[] {
    const collected = collectFields(execution, parent, sets, () => {
      looked += 1
    })
    return [...collected].flatMap(([name, nodes]) => {
      const [node] = nodes
      const definition = node && fieldOf(execution.schema, parent, node.name.value)
      if (!definition || definition === TypeNameMetaFieldDef) return []
      const field: AskedField = { name, parent, definition, node, below: undefined }
      const below = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
      const sizes = weights.listSize(parent, definition.name)?.sizedFields ?? []
      return below.length > 0 ? [{ ...field, below: levelOf(below, sizes.length > 0 ? field : undefined) }] : [field]
    })
  }

  return {
    root: levelOf([operation.selectionSet], undefined),
    /** Selections that were looked at so far. */
    looked: () => looked,
  }
}

export type Levels = ReturnType<typeof createLevels>
