import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionNode,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
} from 'graphql'

/** What GraphQL's execution knows of a document. https://spec.graphql.org/October2021/#sec-Executing-Selection-Sets */
export type Execution = {
  schema: GraphQLSchema
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** Coerced. */
  variables: Record<string, unknown>
}

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

/**
 * The fields that an object of a type is asked for, by the name they are answered under: `CollectFields`.
 * `onSelection` is told of each selection that is looked at.
 */
export function collectFields(
  { schema, fragments, variables }: Execution,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
  onSelection: () => void = () => {},
): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()
  const visited = new Set<string>()
  const included = ({ directives }: SelectionNode) =>
    getDirectiveValues(GraphQLSkipDirective, { directives: directives ?? [] }, variables)?.if !== true &&
    getDirectiveValues(GraphQLIncludeDirective, { directives: directives ?? [] }, variables)?.if !== false
  const applies = (condition: string | undefined) => {
    if (condition === undefined || condition === type.name) return true
    const wider = schema.getType(condition)
    return isAbstractType(wider) && schema.isSubType(wider, type)
  }
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      onSelection()
      if (!included(selection)) continue
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
