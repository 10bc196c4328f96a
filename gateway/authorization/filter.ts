import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { tooComplex } from '../limits.ts'
import { fieldOf, fieldsIn, fragmentsOf, rootTypeOf } from '../selections.ts'

/** Tells whether the field of a type is refused. */
export type Refuses = (type: string, field: string) => boolean

/** An operation without what is refused. */
export type Filtered = {
  readonly document: DocumentNode
  /** Undefined when nothing is left. */
  readonly operation: OperationDefinitionNode | undefined
  /** Fields of the original that hold refused ones: what is answered for them must be completed. */
  readonly dirty: ReadonlySet<FieldNode>
  /** Fields of the original that were taken out, each with its `Type.field`. */
  readonly removed: ReadonlyMap<FieldNode, string>
  /** The name under which filtered selections ask for the type of what they get. */
  readonly typeAlias: string
}

/**
 * How large an operation may be that something is taken out of, each selection counted as often as a fragment repeats it:
 * the work on its answer grows with that, and not with the text. Far above the default limits, for where those are off.
 */
const mostSelections = 100_000
/** How many fields may be taken out, counted likewise: each makes a null of its own in every element of a list. */
const mostRemoved = 2_000
/** How deep its selections may be nested, fragments included, so that the stack holds. */
const mostLevels = 500

/**
 * Removes what is refused from an operation, wherever it stands: under an alias, in a fragment, behind a condition. Each
 * fragment is looked at once. A field that is left without selections is still asked for: it may be a mutation, and its
 * object is answered. Throws OPERATION_TOO_COMPLEX.
 */
export function filterOperation(
  schema: GraphQLSchema,
  original: DocumentNode,
  operation: OperationDefinitionNode,
  refuses: Refuses,
): Filtered {
  const definitions = fragmentsOf(original)
  const fragments = new Map<string, Part & { node: FragmentDefinitionNode | undefined }>()
  const dirty = new Set<FieldNode>()
  const removed = new Map<FieldNode, string>()
  const typeAlias = unusedName(schema, original)
  const typeField: FieldNode = {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: typeAlias },
    name: { kind: Kind.NAME, value: '__typename' },
  }

  function filter({ selections }: SelectionSetNode, parent: GraphQLCompositeType, level: number): Part {
    // Also what is above fragments that are nested in each other is on the stack.
    if (level > mostLevels) throw tooComplex('is nested too deep', mostLevels)
    const part = { selections: [] as SelectionNode[], removed: 0, size: selections.length, levels: 1 }
    for (const selection of selections) {
      const inner = filterSelection(selection, parent, level + 1)
      part.selections.push(...inner.selections)
      part.removed += inner.removed
      part.size += inner.size
      part.levels = Math.max(part.levels, inner.levels + 1)
    }
    return part
  }

  function filterSelection(selection: SelectionNode, parent: GraphQLCompositeType, level: number): Part {
    if (selection.kind === Kind.FIELD) return filterField(selection, parent, level)
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const { node, ...inner } = filterFragment(selection.name.value, level)
      return { ...inner, selections: node ? [selection] : [] }
    }
    const condition = selection.typeCondition ? typeNamed(selection.typeCondition.name.value) : parent
    const inner = filter(selection.selectionSet, condition, level)
    return { ...inner, selections: wrap(inner, (selectionSet) => ({ ...selection, selectionSet })) }
  }

  function filterField(node: FieldNode, parent: GraphQLCompositeType, level: number): Part {
    if (refuses(parent.name, node.name.value)) {
      removed.set(node, `${parent.name}.${node.name.value}`)
      return { selections: [], removed: 1, size: 0, levels: 0 }
    }
    const type = getNamedType(fieldOf(schema, parent, node.name.value)?.type)
    if (!node.selectionSet || !isCompositeType(type)) return { selections: [node], removed: 0, size: 0, levels: 0 }
    const inner = filter(node.selectionSet, type, level)
    if (inner.removed === 0) return { ...inner, selections: [node] }
    dirty.add(node)
    // What is left may be nothing, and what is to be null may depend on the type.
    const ask = inner.selections.length === 0 || isAbstractType(type) ? [typeField] : []
    const selectionSet = { ...node.selectionSet, selections: [...inner.selections, ...ask] }
    return { ...inner, selections: [{ ...node, selectionSet }] }
  }

  function filterFragment(name: string, level: number) {
    const known = fragments.get(name)
    if (known) return known
    const definition = definitions.get(name)
    if (!definition) throw new Error(`There is no fragment ${name}.`)
    const inner = filter(definition.selectionSet, typeNamed(definition.typeCondition.name.value), level)
    const [node] = wrap(inner, (selectionSet) => ({ ...definition, selectionSet }))
    const filtered = { ...inner, node }
    fragments.set(name, filtered)
    return filtered
  }

  function typeNamed(name: string): GraphQLCompositeType {
    const type = schema.getType(name)
    if (!isCompositeType(type)) throw new Error(`${name} has no fields.`)
    return type
  }

  const { selections, ...whole } = filter(operation.selectionSet, rootTypeOf(schema, operation), 0)
  if (whole.removed > mostRemoved) throw tooComplex('has too many fields that you may not see', mostRemoved)
  if (whole.size > mostSelections) throw tooComplex('has too many fields', mostSelections)
  if (whole.levels > mostLevels) throw tooComplex('is nested too deep', mostLevels)
  const left = { ...operation, selectionSet: { ...operation.selectionSet, selections } }
  const used = [...fragments.values()].flatMap(({ node }) => node ?? [])
  return {
    document: { kind: Kind.DOCUMENT, definitions: [left, ...used] },
    operation: selections.length > 0 ? left : undefined,
    dirty,
    removed,
    typeAlias,
  }
}

/** What is left of selections, and what they were. */
type Part = {
  selections: readonly SelectionNode[]
  /** Fields that were taken from them, selections, and levels of them, fragments counted where they are spread. */
  removed: number
  size: number
  levels: number
}

function wrap<Node>({ selections }: Part, make: (selectionSet: SelectionSetNode) => Node): Node[] {
  return selections.length > 0 ? [make({ kind: Kind.SELECTION_SET, selections })] : []
}

/** A name that nothing in a document is answered under. */
function unusedName(schema: GraphQLSchema, document: DocumentNode): string {
  const used = new Set<string>()
  for (const [, { alias, name }] of fieldsIn(schema, document)) used.add((alias ?? name).value)
  let name = 'authorization__typename'
  while (used.has(name)) name += '_'
  return name
}
