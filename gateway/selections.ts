import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionNode,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql'

export function rootTypeOf(schema: GraphQLSchema, { operation }: OperationDefinitionNode): GraphQLObjectType {
  const type = schema.getRootType(operation)
  if (!type) throw new Error(`The schema has no ${operation}.`)
  return type
}

export function fieldOf(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  name: string,
): GraphQLField<unknown, unknown> | undefined {
  if (name === TypeNameMetaFieldDef.name) return TypeNameMetaFieldDef
  if (parent === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef
  }
  return isUnionType(parent) ? undefined : parent.getFields()[name]
}

export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  return new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
}

/** The variables that `@skip` and `@include` ask. */
export function conditionsOf(document: DocumentNode): string[] {
  const names = new Set<string>()
  visit(document, {
    Directive({ name, arguments: args }) {
      if (name.value !== 'skip' && name.value !== 'include') return
      for (const { value } of args ?? []) if (value.kind === Kind.VARIABLE) names.add(value.name.value)
    },
  })
  return [...names]
}

/** Which of those variables hold, as a key. */
export function holding(conditions: readonly string[], variables: Readonly<Record<string, unknown>>): string {
  return conditions.map((name) => (variables[name] === true ? '1' : '0')).join('')
}

/** Fields and fragments that stand in a document, and the arguments and directives that they have. Fast, and needs no stack. */
export function partsIn({ definitions }: DocumentNode): number {
  const sets = definitions.flatMap((node) => ('selectionSet' in node ? [node.selectionSet] : []))
  let count = 0
  for (let set = sets.pop(); set; set = sets.pop()) {
    for (const node of set.selections) {
      count += 1 + (node.directives?.length ?? 0)
      if (node.kind === Kind.FIELD) count += node.arguments?.length ?? 0
      if (node.kind !== Kind.FRAGMENT_SPREAD && node.selectionSet) sets.push(node.selectionSet)
    }
  }
  return count
}

/** Selections of an operation, those of a fragment as often as it is spread. Only for valid documents, which end. */
export function selectionsIn(
  { selectionSet }: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): number {
  const known = new Map<SelectionSetNode | undefined, number>()
  const count = (set: SelectionSetNode | undefined): number => {
    const before = known.get(set)
    if (before !== undefined) return before
    const selections = set?.selections ?? []
    const below = (node: SelectionNode) =>
      node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value)?.selectionSet : node.selectionSet
    const sum = selections.reduce((sum, node) => sum + 1 + count(below(node)), 0)
    known.set(set, sum)
    return sum
  }
  return count(selectionSet)
}

/** Every field that stands in a valid document, with the type it is asked of. However deep it is nested: this needs no stack. */
export function* fieldsIn(schema: GraphQLSchema, document: DocumentNode): Generator<[GraphQLCompositeType, FieldNode]> {
  const typeNamed = (name: string) => schema.getType(name) as GraphQLCompositeType
  const sets = document.definitions.flatMap((node): [GraphQLCompositeType, SelectionSetNode][] => {
    if (node.kind === Kind.OPERATION_DEFINITION) return [[rootTypeOf(schema, node), node.selectionSet]]
    if (node.kind !== Kind.FRAGMENT_DEFINITION) return []
    return [[typeNamed(node.typeCondition.name.value), node.selectionSet]]
  })
  for (const [parent, { selections }] of sets) {
    for (const node of selections) {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        sets.push([node.typeCondition ? typeNamed(node.typeCondition.name.value) : parent, node.selectionSet])
      } else if (node.kind === Kind.FIELD) {
        yield [parent, node]
        if (!node.selectionSet) continue
        const type = getNamedType(fieldOf(schema, parent, node.name.value)?.type)
        if (isCompositeType(type)) sets.push([type, node.selectionSet])
      }
    }
  }
}

/** What GraphQL's execution knows of a document. https://spec.graphql.org/October2021/#sec-Executing-Selection-Sets */
export type Execution = {
  schema: GraphQLSchema
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** Coerced. */
  variables: Readonly<Record<string, unknown>>
}

/**
 * The fields that an object of a type is asked for, by the name they are answered under: `CollectFields`.
 * `onSelection` is told of each selection that is looked at.
 */
export function collectFields(
  { schema, fragments, variables }: Execution,
  type: GraphQLCompositeType,
  selectionSets: readonly SelectionSetNode[],
  onSelection: () => void = () => {},
): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()
  const visited = new Set<string>()
  const applies = (condition: string | undefined) => {
    if (condition === undefined || condition === type.name) return true
    const wider = schema.getType(condition)
    return isAbstractType(wider) && !isUnionType(type) && schema.isSubType(wider, type)
  }
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      onSelection()
      if (!isIncluded(selection, variables)) continue
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value
        const nodes = fields.get(name)
        if (nodes) nodes.push(selection)
        else fields.set(name, [selection])
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (applies(selection.typeCondition?.name.value)) collect(selection.selectionSet)
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value)
        const fragment = fragments.get(selection.name.value)
        if (fragment && applies(fragment.typeCondition.name.value)) collect(fragment.selectionSet)
      }
    }
  }
  for (const selectionSet of selectionSets) collect(selectionSet)
  return fields
}

/** Whether `@skip` and `@include` leave a selection in. */
export function isIncluded({ directives = [] }: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  if (directives.length === 0) return true
  return (
    getDirectiveValues(GraphQLSkipDirective, { directives }, variables)?.if !== true &&
    getDirectiveValues(GraphQLIncludeDirective, { directives }, variables)?.if !== false
  )
}
