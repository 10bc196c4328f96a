import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { fragmentsOf, isIncluded } from '../selections.ts'

/** An operation as it is planned. */
export type PlannedForm = {
  /** Undefined when nothing is asked for. */
  readonly document: DocumentNode | undefined
  /** The names that clients have given, by those under which subgraphs are asked in their place. */
  readonly aliases: ReadonlyMap<string, string>
}

/** Begins the names that stand for a client's. */
const substitute = 'alias__'

/**
 * Makes operations ready for the planner, which takes two things for granted that clients need not keep to.
 *
 * Conditions: what `@skip` and `@include` leave out is left out here, by the values of the variables. The planner puts them around
 * fetches, and then leaves out more: a mutation all of whose fields are left out, and fields that share a fetch with one.
 *
 * Names: it joins what subgraphs answer by their keys, under the names of the fields. A client's own name that is one of those
 * would be taken for it, and sent to other subgraphs as a key: it is replaced by one that no field has.
 */
export function createPlannedForms(supergraph: GraphQLSchema) {
  const joined = namesJoinedBy(supergraph)

  /** Under which name a field is asked for. */
  function sourceOf({ alias, name }: FieldNode): string {
    if (!alias || alias.value === name.value) return name.value
    const isTaken = joined.has(alias.value) || alias.value.startsWith(substitute)
    return isTaken ? `${substitute}${alias.value}__${name.value}` : alias.value
  }

  function plannedForm(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    coerced: Readonly<Record<string, unknown>>,
  ): PlannedForm {
    const definitions = fragmentsOf(document)
    const fragments = new Map<string, FragmentDefinitionNode | undefined>()
    const aliases = new Map<string, string>()

    const select = ({ selections }: SelectionSetNode): SelectionNode[] =>
      selections.flatMap((selection) => (isIncluded(selection, coerced) ? left(unconditional(selection)) : []))

    function left(node: SelectionNode): SelectionNode[] {
      if (node.kind === Kind.FIELD) return [fieldOf(node)]
      if (node.kind === Kind.INLINE_FRAGMENT) return withSelections(node, select(node.selectionSet))
      return fragmentNamed(node.name.value) ? [node] : []
    }

    function fieldOf(node: FieldNode): FieldNode {
      const selections = node.selectionSet && select(node.selectionSet)
      const source = sourceOf(node)
      if (node.alias && source !== node.alias.value) aliases.set(source, node.alias.value)
      return {
        ...node,
        ...(node.alias && { alias: { ...node.alias, value: source } }),
        // A field is asked for although nothing of it is: it may be a mutation.
        ...(selections && { selectionSet: setOf(selections.length > 0 ? selections : [typename]) }),
      }
    }

    function fragmentNamed(name: string): FragmentDefinitionNode | undefined {
      const definition = definitions.get(name)
      if (definition && !fragments.has(name)) {
        const [made] = withSelections(definition, select(definition.selectionSet))
        fragments.set(name, made)
      }
      return fragments.get(name)
    }

    const [asked] = withSelections(operation, select(operation.selectionSet))
    const used = [...definitions.keys()].flatMap((name) => fragments.get(name) ?? [])
    return { document: asked && { kind: Kind.DOCUMENT, definitions: [asked, ...used] }, aliases }
  }

  return { plannedForm, sourceOf }
}

function unconditional(node: SelectionNode): SelectionNode {
  if (!node.directives?.length) return node
  return {
    ...node,
    directives: node.directives.filter(({ name: { value } }) => value !== 'skip' && value !== 'include'),
  }
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }

const setOf = (selections: readonly SelectionNode[]): SelectionSetNode => ({ kind: Kind.SELECTION_SET, selections })

function withSelections<Node extends { readonly selectionSet: SelectionSetNode }>(
  node: Node,
  selections: readonly SelectionNode[],
): Node[] {
  return selections.length > 0 ? [{ ...node, selectionSet: setOf(selections) }] : []
}

/**
 * The names by which objects are joined, wherever: those of keys and of what fields require.
 * https://specs.apollo.dev/join/v0.5
 */
function namesJoinedBy(supergraph: GraphQLSchema): ReadonlySet<string> {
  const names = new Set(['__typename'])
  for (const type of Object.values(supergraph.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const { astNode } of [type, ...Object.values(type.getFields())]) {
      for (const { name, value } of astNode?.directives?.flatMap((directive) => directive.arguments ?? []) ?? []) {
        if ((name.value !== 'key' && name.value !== 'requires') || value.kind !== Kind.STRING) continue
        for (const [found] of value.value.matchAll(/\w+/g)) names.add(found)
      }
    }
  }
  return names
}
