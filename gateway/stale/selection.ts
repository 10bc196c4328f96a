import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { fragmentsOf } from '../selections.ts'
import type { PublicFields } from './public.ts'

type Variables = Readonly<Record<string, unknown>>

/** A public field that a fetch asks of an entity. */
export type AskedField = {
  /** The name that it is answered under. */
  readonly name: string
  /** Whether variables have a say in what is asked for. */
  readonly varies: boolean
  /** Says what is asked for: field, arguments, and all that is selected below. The same key, the same value. */
  readonly key: (variables: Variables) => string
  /** A copy of what is selected, and of nothing that others may have added to the object since. */
  readonly copy: (value: unknown) => unknown
} & Bounds

/** For how long, and for whom, what is selected of a field is fresh: the strictest of all marks. */
type Bounds = {
  /** Seconds. */
  readonly maxAge: number
  /** It is the same for one caller only. */
  readonly isPrivate: boolean
}

/** What a fetch asks of an entity of one type that is the same for everybody. */
export type AskedEntity = {
  readonly type: string
  readonly fields: readonly AskedField[]
  /** What is asked for, of each field. Where variables have no say in it, always the same list. */
  readonly keys: (variables: Variables) => readonly string[]
  /** The names of those that a representation may have. */
  readonly known: ReadonlySet<string>
  /** There is nothing else that is asked for, whatever variables say. */
  readonly isWhole: boolean
} & Bounds

/** What is selected of an object, by the names it is answered under. Undefined: all of it, since it has no fields. */
type Shape = Map<string, Shape | undefined>

const typename = '__typename'

/** What a fetch asks of entities, by their type, or of the query itself: of `Query`. A field counts only when all that is selected below it is public too. */
export function compileAsked(query: string, fields: PublicFields): (type: string) => AskedEntity {
  const document = withoutFragments(parse(query, { noLocation: true }))
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  const entities = operation?.selectionSet.selections.find(
    (node): node is FieldNode => node.kind === Kind.FIELD && node.name.value === '_entities',
  )
  const asked = entities ? entities.selectionSet : operation?.selectionSet
  const defaults = defaultsOf(operation)
  const known = new Map<string, AskedEntity>()
  return (type) => {
    const found = known.get(type)
    if (found) return found
    const nodes = selected(asked, type, fields)
    const compiled = [...nodes].flatMap(([name, nodes]) => compileField(name, nodes, type, fields, defaults) ?? [])
    const fixed = compiled.some(({ varies }) => varies) ? undefined : compiled.map(({ key }) => key({}))
    const entity = {
      type,
      fields: compiled.some(({ name }) => name !== typename) ? compiled : [],
      keys: (variables: Variables) => fixed ?? compiled.map(({ key }) => key(variables)),
      known: new Set(fields.of(type).keys()),
      isWhole: compiled.length === nodes.size && !isConditional(asked, type, fields),
      maxAge: Math.min(...compiled.map(({ maxAge }) => maxAge)),
      isPrivate: compiled.some(({ isPrivate }) => isPrivate),
    }
    known.set(type, entity)
    return entity
  }
}

/** The fields that are asked of an object of a type, by the names they are answered under. */
function selected(selectionSet: SelectionSetNode | undefined, type: string, { isOf }: PublicFields) {
  const found = new Map<string, FieldNode[]>()
  const collect = (set: SelectionSetNode | undefined): void => {
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) {
        const name = (node.alias ?? node.name).value
        found.set(name, [...(found.get(name) ?? []), node])
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        if (!node.typeCondition || isOf(type, node.typeCondition.name.value)) collect(node.selectionSet)
      }
    }
  }
  collect(selectionSet)
  return found
}

/** Whether variables have a say in which fields are asked of an object of a type. */
function isConditional(set: SelectionSetNode | undefined, type: string, fields: PublicFields): boolean {
  return (set?.selections ?? []).some((node) => {
    if (node.directives?.length) return true
    if (node.kind !== Kind.INLINE_FRAGMENT) return false
    const applies = !node.typeCondition || fields.isOf(type, node.typeCondition.name.value)
    return applies && isConditional(node.selectionSet, type, fields)
  })
}

/** What variables are that are not given. */
function defaultsOf(operation: OperationDefinitionNode | undefined): ReadonlyMap<string, string> {
  const definitions = operation?.variableDefinitions ?? []
  return new Map(
    definitions.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, print(defaultValue)]] : [],
    ),
  )
}

function compileField(
  name: string,
  nodes: readonly FieldNode[],
  type: string,
  fields: PublicFields,
  defaults: ReadonlyMap<string, string>,
): AskedField | undefined {
  const shape: Shape = new Map()
  const bounds = { maxAge: Number.POSITIVE_INFINITY, isPrivate: false }
  if (!addShape(shape, { kind: Kind.SELECTION_SET, selections: nodes }, type, fields, bounds)) return undefined
  const below = shape.get(name)
  const bare = nodes.map(({ alias: _alias, directives: _directives, ...node }) => node)
  const text = [...new Set(bare.map(print))].join(' ')
  const variables = new Set<string>()
  for (const node of bare) visit(node, { Variable: ({ name }) => void variables.add(name.value) })
  const givenOf = (name: string, given: Variables) => (given[name] === undefined ? defaults.get(name) : [given[name]])
  return {
    ...bounds,
    name,
    varies: variables.size > 0,
    key: (given) =>
      variables.size === 0 ? text : `${text} ${JSON.stringify([...variables].map((name) => givenOf(name, given)))}`,
    copy: (value) => copyOf(value, below),
  }
}

/** Adds what is selected of an object to a shape, and its bounds. False when some of it is not public. */
function addShape(
  shape: Shape,
  { selections }: SelectionSetNode,
  type: string,
  fields: PublicFields,
  bounds: { -readonly [Bound in keyof Bounds]: Bounds[Bound] },
): boolean {
  return selections.every((node) => {
    if (node.kind === Kind.FRAGMENT_SPREAD) return false
    if (node.kind === Kind.INLINE_FRAGMENT) {
      return addShape(shape, node.selectionSet, node.typeCondition?.name.value ?? type, fields, bounds)
    }
    const name = (node.alias ?? node.name).value
    const of = node.name.value === typename ? 'String' : fields.of(type).get(node.name.value)
    // The one name under which an object takes nothing of its own.
    if (of === undefined || name === '__proto__') return false
    bounds.maxAge = Math.min(bounds.maxAge, fields.maxAgeOf(type, node.name.value))
    bounds.isPrivate ||= fields.isPrivate(type, node.name.value)
    if (!node.selectionSet) {
      shape.set(name, undefined)
      return true
    }
    const below: Shape = shape.get(name) ?? new Map()
    shape.set(name, below)
    return addShape(below, node.selectionSet, of, fields, bounds)
  })
}

function copyOf(value: unknown, shape: Shape | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element) => copyOf(element, shape))
  if (!shape) return structuredClone(value)
  const copy: Record<string, unknown> = {}
  for (const [name, below] of shape) {
    if (Object.hasOwn(value, name)) copy[name] = copyOf((value as Record<string, unknown>)[name], below)
  }
  return copy
}

/** The same with what each fragment selects in its place. Those of a valid document do not contain themselves. */
function withoutFragments(document: DocumentNode): DocumentNode {
  const fragments = fragmentsOf(document)
  return visit(document, {
    FragmentSpread({ name, directives = [] }) {
      const fragment = fragments.get(name.value)
      return fragment && inlined(fragment, directives)
    },
    FragmentDefinition: () => null,
  })
}

function inlined({ typeCondition, selectionSet }: FragmentDefinitionNode, directives: FieldNode['directives'] = []) {
  return { kind: Kind.INLINE_FRAGMENT, typeCondition, directives, selectionSet } as const
}
