import {
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import type { z } from 'zod'
import { integer, live } from '#platform/env.ts'
import { ServiceError } from '#platform/errors.ts'
import { countRepeats } from './limits/repeats.ts'

/** How large an operation may be. Each setting is a limit of its own; what is above one is OPERATION_TOO_COMPLEX. */
export const limitSettings = {
  /** Lexical tokens of a document. Default 4000. */
  MAX_TOKENS: live(integer(1, 100_000).default(4_000)),
  /** How deep fields, and also input values, are nested. The standard introspection query has 15. Default 15. */
  MAX_DEPTH: live(integer(1, 200).default(15)),
  /** Fields of a document, each counted as often as a fragment repeats it. Default 2000. */
  MAX_FIELDS: live(integer(1, 1_000_000).default(2_000)),
  /** Fields that an operation asks for again in the same place, and fragments beside another one. Default 250. */
  MAX_REPEATED_FIELDS: live(integer(0, 1_000_000).default(250)),
  /** Fields that are given another name. Default 50. */
  MAX_ALIASES: live(integer(0, 1_000_000).default(50)),
  /** Fields of Query or Mutation in one operation. Default 20. */
  MAX_ROOT_FIELDS: live(integer(1, 1_000_000).default(20)),
  /** Directives. Default 50. */
  MAX_DIRECTIVES: live(integer(0, 1_000_000).default(50)),
  /** Lists of fields or types that introspection nests in each other. Default 2. */
  MAX_INTROSPECTION_DEPTH: live(integer(0, 100).default(2)),
}

export type Limits = { readonly [Name in keyof typeof limitSettings]: z.output<(typeof limitSettings)[Name]> }

/** Whether what is within the ones is within the others. */
export function areSameLimits(ones: Limits | undefined, others: Limits | undefined): boolean {
  return (Object.keys(limitSettings) as (keyof Limits)[]).every((name) => ones?.[name] === others?.[name])
}

/** What a selection comes to, fragments counted where they are spread. */
type Size = {
  depth: number
  fields: number
  /** Fields of the outermost level. */
  roots: number
  aliases: number
  directives: number
  introspection: number
}

/** Fields of the introspection types that are lists of fields or types. */
const introspectionLists = new Set(['fields', 'interfaces', 'possibleTypes', 'inputFields'])

/**
 * Refuses a document with an operation above a limit: OPERATION_TOO_COMPLEX. It is looked at before it is validated, and
 * each fragment once, so that the time taken grows with the text alone. Fragments that spread themselves are refused as
 * validation would.
 */
export function checkLimits(document: DocumentNode, limits: Limits): void {
  const definitions = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION)
  const fragments = new Map(definitions.map((node) => [node.name.value, node]))
  const measured = new Map<string, Size | 'open'>()

  function sizeOfFragment(name: string, spread: FragmentDefinitionNode | undefined): Size {
    // Validation says that there is no such fragment.
    if (!spread) return nothing()
    const known = measured.get(name)
    if (known === 'open') {
      throw new ServiceError('GRAPHQL_VALIDATION_FAILED', `Cannot spread fragment "${name}" within itself.`)
    }
    if (known) return known
    measured.set(name, 'open')
    const size = sizeOf(spread.selectionSet, 0)
    addDirectives(size, spread.directives, limits)
    measured.set(name, size)
    return size
  }

  /** `level` counts what is nested in this definition, so that the walk itself ends at the limit. */
  function sizeOf(selectionSet: SelectionSetNode, level: number): Size {
    if (level >= limits.MAX_DEPTH * 2) throw tooComplex('is nested too deep', limits.MAX_DEPTH)
    const size = nothing()
    for (const selection of selectionSet.selections) {
      addDirectives(size, selection.directives, limits)
      if (selection.kind === Kind.FIELD) {
        const inner = selection.selectionSet ? sizeOf(selection.selectionSet, level + 1) : nothing()
        const list = introspectionLists.has(selection.name.value) ? 1 : 0
        for (const { value } of selection.arguments ?? []) checkDepth(value, limits)
        add(size, inner, 1, list)
        size.fields += 1
        size.roots += 1
        size.aliases += selection.alias && selection.alias.value !== selection.name.value ? 1 : 0
      } else {
        const inner =
          selection.kind === Kind.INLINE_FRAGMENT
            ? sizeOf(selection.selectionSet, level + 1)
            : sizeOfFragment(selection.name.value, fragments.get(selection.name.value))
        add(size, inner, 0, 0)
        size.roots += inner.roots
      }
    }
    return size
  }

  let fields = 0
  function refuseLarge({ selectionSet }: OperationDefinitionNode | FragmentDefinitionNode, size: Size): void {
    refuseAbove(limits, size)
    fields += size.fields
    if (fields > limits.MAX_FIELDS) throw tooComplex('has too many fields', limits.MAX_FIELDS)
    if (countRepeats(selectionSet, fragments) > limits.MAX_REPEATED_FIELDS) {
      throw tooComplex('asks for too much again in the same place', limits.MAX_REPEATED_FIELDS)
    }
  }
  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION) continue
    const size = sizeOf(node.selectionSet, 0)
    addDirectives(size, node.directives, limits)
    for (const { directives, defaultValue } of node.variableDefinitions ?? []) {
      addDirectives(size, directives, limits)
      if (defaultValue) checkDepth(defaultValue, limits)
    }
    refuseLarge(node, size)
  }
  // What no operation uses is validated too.
  for (const [name, node] of fragments) {
    if (!measured.has(name)) refuseLarge(node, { ...sizeOfFragment(name, node), roots: 0 })
  }
}

function refuseAbove(limits: Limits, size: Size): void {
  const { depth, roots, aliases, directives, introspection } = size
  if (depth > limits.MAX_DEPTH) throw tooComplex('is nested too deep', limits.MAX_DEPTH)
  if (aliases > limits.MAX_ALIASES) throw tooComplex('has too many aliases', limits.MAX_ALIASES)
  if (directives > limits.MAX_DIRECTIVES) throw tooComplex('has too many directives', limits.MAX_DIRECTIVES)
  if (roots > limits.MAX_ROOT_FIELDS) throw tooComplex('has too many root fields', limits.MAX_ROOT_FIELDS)
  if (introspection > limits.MAX_INTROSPECTION_DEPTH) {
    throw tooComplex('nests introspection too deep', limits.MAX_INTROSPECTION_DEPTH)
  }
}

function nothing(): Size {
  return { depth: 0, fields: 0, roots: 0, aliases: 0, directives: 0, introspection: 0 }
}

function add(size: Size, inner: Size, depth: number, introspection: number): void {
  size.depth = Math.max(size.depth, inner.depth + depth)
  size.introspection = Math.max(size.introspection, inner.introspection + introspection)
  size.fields += inner.fields
  size.aliases += inner.aliases
  size.directives += inner.directives
}

function addDirectives(size: Size, directives: readonly DirectiveNode[] | undefined, limits: Limits): void {
  for (const { arguments: args = [] } of directives ?? []) {
    size.directives += 1
    for (const { value } of args) checkDepth(value, limits)
  }
}

/** Refuses a value of lists and objects that are nested deeper than fields may be. */
function checkDepth(value: ValueNode, limits: Limits, depth = 0): void {
  if (depth > limits.MAX_DEPTH) throw tooComplex('holds a value that is nested too deep', limits.MAX_DEPTH)
  if (value.kind === Kind.LIST) for (const inner of value.values) checkDepth(inner, limits, depth + 1)
  if (value.kind === Kind.OBJECT) for (const field of value.fields) checkDepth(field.value, limits, depth + 1)
}

export function tooComplex(what: string, limit: number): ServiceError {
  return new ServiceError('OPERATION_TOO_COMPLEX', `The operation ${what}: the limit is ${limit}.`)
}
