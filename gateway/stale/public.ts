import { type ConstDirectiveNode, type DocumentNode, Kind, type TypeNode, valueFromASTUntyped } from 'graphql'
import { linkedFeatures } from '../supergraph.ts'

/** What a supergraph schema says is the same for everybody. */
export type PublicFields = {
  /** The names of a type's public fields, and of which type each is. Empty for a type that has none. */
  readonly of: (type: string) => ReadonlyMap<string, string>
  /** Whether an object of a type is of another type too: itself, an interface of it, a union with it. */
  readonly isOf: (type: string, condition: string) => boolean
  /** Seconds for which a field may be taken for fresh. */
  readonly maxAgeOf: (type: string, field: string) => number
  /** Whether a field is the same for one caller only. */
  readonly isPrivate: (type: string, field: string) => boolean
}

export type MarkOptions = {
  /** Seconds for which fields may be taken for fresh whose marks do not say. Default: any time. */
  maxAge?: number
  /** Whether fields count that are marked `PRIVATE` with a `maxAge`. Default false. */
  privates?: boolean
}

type Mark = { readonly type: string; readonly maxAge: number; readonly isPrivate: boolean }

const none: ReadonlyMap<string, string> = new Map()

/**
 * Reads which fields are marked `@cacheControl(scope: PUBLIC)`, by whatever name the schema has for it. A field is public only when it
 * is marked itself, on an object: marks of types and interfaces count for nothing, and one with `maxAge: 0` is kept by nobody.
 */
export function publicFieldsOf(
  supergraph: DocumentNode,
  { maxAge: otherwise = Number.POSITIVE_INFINITY, privates = false }: MarkOptions = {},
): PublicFields {
  const directive = linkedFeatures(supergraph).find(({ identity }) => identity.endsWith('/cacheControl'))?.directive
  const fields = new Map<string, ReadonlyMap<string, string>>()
  const marks = new Map<string, Mark>()
  const wider = new Map<string, Set<string>>()
  const widen = (type: string, condition: string) =>
    void wider.set(type, (wider.get(type) ?? new Set([type])).add(condition))
  for (const node of supergraph.definitions) {
    if (node.kind === Kind.UNION_TYPE_DEFINITION) {
      for (const { name } of node.types ?? []) widen(name.value, node.name.value)
    }
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) continue
    for (const { name } of node.interfaces ?? []) widen(node.name.value, name.value)
    const marked = new Map<string, string>()
    for (const { name, type, directives = [] } of node.fields ?? []) {
      const mark = markOf(nameOf(type), directives)
      if (!mark) continue
      marked.set(name.value, mark.type)
      marks.set(`${node.name.value}.${name.value}`, mark)
    }
    if (marked.size > 0) fields.set(node.name.value, marked)
  }

  function markOf(type: string, directives: readonly ConstDirectiveNode[]): Mark | undefined {
    const node = directives.find(({ name }) => name.value === directive)
    const { scope, maxAge } = Object.fromEntries(
      (node?.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
    )
    const stated = typeof maxAge === 'number'
    const isPrivate = scope === 'PRIVATE'
    if (scope !== 'PUBLIC' && !(isPrivate && privates && stated)) return undefined
    if (stated && maxAge <= 0) return undefined
    return { type, maxAge: stated ? maxAge : otherwise, isPrivate }
  }

  return {
    of: (type) => fields.get(type) ?? none,
    isOf: (type, condition) => type === condition || wider.get(type)?.has(condition) === true,
    maxAgeOf: (type, field) => marks.get(`${type}.${field}`)?.maxAge ?? Number.POSITIVE_INFINITY,
    isPrivate: (type, field) => marks.get(`${type}.${field}`)?.isPrivate === true,
  }
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type)
}
