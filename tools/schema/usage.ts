import {
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInputType,
  isInterfaceType,
  Kind,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
} from 'graphql'

/**
 * What of a schema an operation relies on, by coordinate: types (`Product`), fields (`Product.name`), arguments that it passes
 * (`Query.product.id`), fields of input objects (`ProductFilter.search`), and enum values that it writes out (`Role.ADMIN`). An
 * input object that it writes out is there as `ProductFilter{}`: it holds the fields that stand there, and no more.
 *
 * What a variable holds nobody knows beforehand: it counts as all that it may hold. An enum that is read, or sent in a
 * variable, counts as the enum itself: any of its values may come.
 */
export function usedBy(schema: GraphQLSchema, document: DocumentNode): ReadonlySet<string> {
  const used = new Set<string>()
  const info = new TypeInfo(schema)
  const mayHold = (type: GraphQLInputType) => {
    const named = getNamedType(type)
    if (used.has(named.name)) return
    used.add(named.name)
    if (!isInputObjectType(named)) return
    for (const field of Object.values(named.getFields())) {
      used.add(`${named.name}.${field.name}`)
      mayHold(field.type)
    }
  }
  visit(
    document,
    visitWithTypeInfo(info, {
      VariableDefinition({ type: node }) {
        const type = typeFromAST(schema, node)
        if (isInputType(type)) mayHold(type)
      },
      Field() {
        const [parent, field] = [info.getParentType(), info.getFieldDef()]
        if (!parent || !field) return
        const types = isInterfaceType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent]
        for (const type of types) {
          used.add(type.name)
          used.add(`${type.name}.${field.name}`)
        }
        used.add(getNamedType(field.type).name)
      },
      Argument({ name }) {
        const [parent, field] = [info.getParentType(), info.getFieldDef()]
        const directive = info.getDirective()
        if (directive) used.add(`@${directive.name}.${name.value}`)
        else if (parent && field) used.add(`${parent.name}.${field.name}.${name.value}`)
      },
      Directive({ name }) {
        used.add(`@${name.value}`)
      },
      ObjectField({ name }) {
        const parent = getNamedType(info.getParentInputType())
        if (parent) used.add(`${parent.name}.${name.value}`)
      },
      ObjectValue() {
        const type = getNamedType(info.getInputType())
        if (type) used.add(`${type.name}{}`)
      },
      EnumValue({ value }) {
        const type = getNamedType(info.getInputType())
        if (isEnumType(type)) used.add(`${type.name}.${value}`)
      },
      InlineFragment({ typeCondition }) {
        if (typeCondition) used.add(typeCondition.name.value)
      },
      FragmentDefinition({ typeCondition }) {
        used.add(typeCondition.name.value)
      },
    }),
  )
  return used
}

/** The names of a document's operations. */
export function operationNames({ definitions }: DocumentNode): (string | undefined)[] {
  return definitions.flatMap((node) => (node.kind === Kind.OPERATION_DEFINITION ? [node.name?.value] : []))
}
