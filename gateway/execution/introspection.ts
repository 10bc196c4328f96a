import {
  type DocumentNode,
  executeSync,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql'
import { fragmentsOf } from '../selections.ts'

/** Answers what an operation asks of the schema itself: one of its fields, with the selections of all places where it stands. */
export function createIntrospection(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) {
  const fragments = [...fragmentsOf(document).values()]
  return function introspect(selections: readonly FieldNode[], variables: Readonly<Record<string, unknown>>): unknown {
    const asked: DocumentNode = {
      kind: Kind.DOCUMENT,
      definitions: [{ ...operation, selectionSet: { kind: Kind.SELECTION_SET, selections } }, ...fragments],
    }
    const { data, errors } = executeSync({ schema, document: asked, rootValue: {}, variableValues: variables })
    if (errors?.[0]) throw errors[0]
    return Object.values(data ?? {})[0]
  }
}
