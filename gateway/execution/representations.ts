import type { QueryPlanSelectionNode } from '@apollo/query-planner'
import type { GraphQLSchema } from 'graphql'
import { type Data, isInherited, own, setOwn } from '../objects.ts'
import { merge } from './merge.ts'
import { compileRewrites } from './rewrites.ts'
import { isOfType } from './types.ts'

/**
 * What a subgraph must know of an entity to find it. Undefined for an object that lacks some of it, which is then not asked
 * for. https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec
 */
export type Represent = (object: Data) => Data | undefined

type Pick = (object: Data) => Data | null

/** Chooses from objects what a fetch requires of them. */
export function compileRepresentation(
  schema: GraphQLSchema,
  requires: readonly QueryPlanSelectionNode[],
  inputRewrites: Parameters<typeof compileRewrites>[1],
): Represent {
  const pick = compilePick(schema, requires)
  const rewrite = compileRewrites(schema, inputRewrites)
  const [only] = requires
  const names = requires.length === 1 && !rewrite ? namesOf(only) : undefined
  const quick = names && only?.kind === 'InlineFragment' ? compileQuick(only.typeCondition, names) : () => undefined
  return (object) => {
    const quickly = quick(object)
    if (quickly) return quickly
    const representation = pick(object)
    if (!representation?.__typename) return undefined
    rewrite?.(representation)
    return representation
  }
}

/** The names of what is selected of one type. Undefined where more than that must be looked at. */
function namesOf(selection: QueryPlanSelectionNode | undefined): string[] | undefined {
  if (selection?.kind !== 'InlineFragment') return undefined
  const names = selection.selections.flatMap((each) =>
    each.kind === 'Field' && !each.selections ? (each.alias ?? each.name) : [],
  )
  const simple = names.length === selection.selections.length && !names.some(isInherited)
  return simple && new Set(names).size === names.length && names.includes('__typename') ? names : undefined
}

/** For objects of the very type that is asked for, which are the most by far. Undefined for others. */
function compileQuick(type: string | undefined, names: readonly string[]): Represent {
  return (object) => {
    if (object.__typename !== type) return undefined
    const picked: Data = {}
    for (const name of names) {
      const value = object[name]
      if (value === undefined || typeof value === 'object') return undefined
      picked[name] = value
    }
    return picked
  }
}

function compilePick(schema: GraphQLSchema, selections: readonly QueryPlanSelectionNode[]): Pick {
  const steps = selections.map((selection) => compileSelection(schema, selection))
  return (object) => {
    const picked: Data = {}
    return steps.every((step) => step(object, picked)) ? picked : null
  }
}

/** Takes a selection over. False when it is not there. */
type Step = (from: Data, to: Data) => boolean

function compileSelection(schema: GraphQLSchema, selection: QueryPlanSelectionNode): Step {
  if (selection.kind === 'InlineFragment') {
    const { typeCondition, selections } = selection
    if (!typeCondition) return () => true
    const pick = compilePick(schema, selections)
    return (from, to) => {
      const picked = isOfType(schema, from, typeCondition, false) ? pick(from) : null
      if (picked) merge(to, picked)
      return true
    }
  }
  const name = selection.alias ?? selection.name
  const pick = selection.selections && compilePick(schema, selection.selections)
  const below = (value: unknown) => (pick && typeof value === 'object' && value !== null ? pick(value as Data) : value)
  return (from, to) => {
    const value = own(from, name)
    if (value === undefined) return false
    setOwn(to, name, Array.isArray(value) ? value.map(below) : below(value))
    return true
  }
}
