import { type FieldNode, type FragmentDefinitionNode, Kind, parse, type SelectionSetNode } from 'graphql'
import { fragmentsOf } from '../selections.ts'

/** A fetch of a plan, ready to be sent again and again. */
export type PlannedFetch = {
  /** A GraphQL document of one operation. */
  readonly operation: string
  /** It changes nothing, and may be sent again. */
  readonly isQuery: boolean
  /** The request's JSON up to the variables. */
  readonly head: string
  /** The names under which it answers an entity of a type, or the query itself. */
  readonly fieldsOf: (typename: string | undefined) => readonly string[]
}

/** What a fetch is sent with. */
export type FetchVariables = {
  /** A JSON object. */
  readonly text: string
  /** What it holds. */
  readonly values: Readonly<Record<string, unknown>>
}

/** What a fetch says of an entity that it asks for. */
export type Representation = Readonly<Record<string, unknown>>

export function planFetch(plan: {
  operation: string
  operationName?: string | undefined
  operationKind: string
}): PlannedFetch {
  const { operation, operationName, operationKind } = plan
  const name = operationName ? `"operationName":${JSON.stringify(operationName)},` : ''
  let fields: PlannedFetch['fieldsOf'] | undefined
  return {
    operation,
    isQuery: operationKind === 'query',
    head: `{"query":${JSON.stringify(operation)},${name}"variables":`,
    fieldsOf(typename) {
      fields ??= fieldsIn(operation)
      return fields(typename)
    },
  }
}

/** The entities that a fetch asks for. Undefined for one of root fields. */
export function representationsOf({ values }: FetchVariables): readonly Representation[] | undefined {
  const { representations } = values
  return Array.isArray(representations) ? representations : undefined
}

/** The names under which a planned operation answers. One for entities selects `_entities` and nothing else. */
function fieldsIn(operation: string): PlannedFetch['fieldsOf'] {
  const document = parse(operation, { noLocation: true })
  const fragments = fragmentsOf(document)
  const asked = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  return (typename) => {
    const fields = selected(asked?.selectionSet, undefined, fragments)
    return (typename === undefined ? fields : selected(fields[0]?.selectionSet, typename, fragments)).map(responseName)
  }
}

/** The fields that a selection has for a type. */
function selected(
  selectionSet: SelectionSetNode | undefined,
  typename: string | undefined,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): FieldNode[] {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value === '__typename' ? [] : [selection]
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
    const condition = fragment?.typeCondition?.name.value
    if (typename !== undefined && condition !== undefined && condition !== typename) return []
    return selected(fragment?.selectionSet, typename, fragments)
  })
}

function responseName({ alias, name }: FieldNode): string {
  return (alias ?? name).value
}
