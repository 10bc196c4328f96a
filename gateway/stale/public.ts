import { type ConstDirectiveNode, type DocumentNode, Kind, type TypeNode, valueFromASTUntyped } from 'graphql'
import { linkedFeatures } from '../supergraph.ts'

/** What a supergraph schema says is the same for everybody. */
export type PublicFields = {
  /** The names of a type's public fields, and of which type each is. Empty for a type that has none. */
  readonly of: (type: string) => ReadonlyMap<string, string>
  /** Whether an object of a type is of another type too: itself, an interface of it, a union with it. */
  readonly isOf: (type: string, condition: string) => boolean
}

const none: ReadonlyMap<string, string> = new Map()

/**
 * Reads which fields are marked `@cacheControl(scope: PUBLIC)`, by whatever name the schema has for it. A field is public only when it
 * is marked itself, on an object: marks of types and interfaces count for nothing, and one with `maxAge: 0` is kept by nobody.
 */
export function publicFieldsOf(supergraph: DocumentNode): PublicFields {
  const directive = linkedFeatures(supergraph).find(({ identity }) => identity.endsWith('/cacheControl'))?.directive
  const fields = new Map<string, Map<string, string>>()
  const wider = new Map<string, Set<string>>()
  const widen = (type: string, condition: string) =>
    void wider.set(type, (wider.get(type) ?? new Set([type])).add(condition))
  for (const node of supergraph.definitions) {
    if (node.kind === Kind.UNION_TYPE_DEFINITION) {
      for (const { name } of node.types ?? []) widen(name.value, node.name.value)
    }
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) continue
    for (const { name } of node.interfaces ?? []) widen(node.name.value, name.value)
    const marked = (node.fields ?? []).filter(({ directives = [] }) => directives.some(isPublic))
    if (marked.length > 0) {
      fields.set(node.name.value, new Map(marked.map(({ name, type }) => [name.value, nameOf(type)])))
    }
  }

  function isPublic(node: ConstDirectiveNode): boolean {
    if (node.name.value !== directive) return false
    const { scope, maxAge } = Object.fromEntries(
      (node.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
    )
    return scope === 'PUBLIC' && maxAge !== 0
  }

  return {
    of: (type) => fields.get(type) ?? none,
    isOf: (type, condition) => type === condition || wider.get(type)?.has(condition) === true,
  }
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type)
}
