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
import { fieldOf, rootTypeOf } from './fields.ts'

/** Tells whether the field of a type is refused. */
export type Refuses = (type: string, field: string) => boolean

/** An operation without what is refused. */
export type Filtered = {
  readonly document: DocumentNode
  /** Fields of the original that hold refused ones: what is answered for them must be completed. */
  readonly dirty: ReadonlySet<FieldNode>
  /** Fields of the original that were taken out, each with its `Type.field`. */
  readonly removed: ReadonlyMap<FieldNode, string>
  /** Nothing that was asked for is left. */
  readonly empty: boolean
}

/** The name under which filtered selections ask for the type of what they get. No operation may use it. */
export const typeAlias = 'authorization__typename'

/** Removes what is refused from an operation, wherever it stands: under an alias, in a fragment, behind a condition. */
export function filterOperation(
  schema: GraphQLSchema,
  original: DocumentNode,
  operation: OperationDefinitionNode,
  refuses: Refuses,
): Filtered {
  const definitions = new Map(
    original.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const fragments = new Map<string, Part & { node: FragmentDefinitionNode | undefined }>()
  const dirty = new Set<FieldNode>()
  const removed = new Map<FieldNode, string>()

  function filter({ selections }: SelectionSetNode, parent: GraphQLCompositeType): Part {
    const parts = selections.map((selection) => filterSelection(selection, parent))
    return {
      selections: parts.flatMap(({ selections }) => selections),
      touched: parts.some(({ touched }) => touched),
      wanted: parts.some(({ wanted }) => wanted),
    }
  }

  function filterSelection(selection: SelectionNode, parent: GraphQLCompositeType): Part {
    if (selection.kind === Kind.FIELD) return filterField(selection, parent)
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const { node, touched, wanted } = filterFragment(selection.name.value)
      return { selections: node ? [selection] : [], touched, wanted }
    }
    const condition = selection.typeCondition ? typeNamed(selection.typeCondition.name.value) : parent
    const inner = filter(selection.selectionSet, condition)
    return { ...inner, selections: wrap(inner, (selectionSet) => ({ ...selection, selectionSet })) }
  }

  function filterField(node: FieldNode, parent: GraphQLCompositeType): Part {
    if (refuses(parent.name, node.name.value)) {
      removed.set(node, `${parent.name}.${node.name.value}`)
      return { selections: [], touched: true, wanted: false }
    }
    const type = getNamedType(fieldOf(schema, parent, node.name.value)?.type)
    if (!node.selectionSet || !isCompositeType(type)) return { selections: [node], touched: false, wanted: true }
    const inner = filter(node.selectionSet, type)
    if (!inner.touched) return { ...inner, selections: [node] }
    dirty.add(node)
    // What is left may be nothing, and what is to be null may depend on the type.
    const ask = inner.selections.length === 0 || isAbstractType(type) ? [typeField] : []
    const selectionSet = { ...node.selectionSet, selections: [...inner.selections, ...ask] }
    return { ...inner, selections: [{ ...node, selectionSet }] }
  }

  function filterFragment(name: string) {
    const known = fragments.get(name)
    if (known) return known
    const definition = definitions.get(name)
    if (!definition) throw new Error(`There is no fragment ${name}.`)
    const inner = filter(definition.selectionSet, typeNamed(definition.typeCondition.name.value))
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

  const root = filter(operation.selectionSet, rootTypeOf(schema, operation))
  const selectionSet = { ...operation.selectionSet, selections: root.selections }
  const used = [...fragments.values()].flatMap(({ node }) => node ?? [])
  return {
    document: { kind: Kind.DOCUMENT, definitions: [{ ...operation, selectionSet }, ...used] },
    dirty,
    removed,
    empty: !root.wanted,
  }
}

/** What is left of selections, whether anything was taken from them, and whether anything is left that a client wants. */
type Part = { selections: readonly SelectionNode[]; touched: boolean; wanted: boolean }

function wrap<Node>({ selections }: Part, make: (selectionSet: SelectionSetNode) => Node): Node[] {
  return selections.length > 0 ? [make({ kind: Kind.SELECTION_SET, selections })] : []
}

const typeField: FieldNode = {
  kind: Kind.FIELD,
  alias: { kind: Kind.NAME, value: typeAlias },
  name: { kind: Kind.NAME, value: '__typename' },
}
