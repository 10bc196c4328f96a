import { type DocumentNode, type GraphQLSchema, isInterfaceType, isObjectType, parse, visit } from 'graphql'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { type AccessRules, compileAccessRules, type Policies, type Rule } from '../../gateway/authorization/rules.ts'

/** A field that somebody may see now who could not before. */
export type Weakened = { readonly field: string; readonly before: string; readonly after: string }

/** Sets of what a caller must bring, any of which is enough. Nothing at all but a token is the empty set. */
type Ways = readonly ReadonlySet<string>[]

/** Ways that are looked at. A rule with more counts as weakened, since nobody can tell. */
const mostWays = 4_096

/**
 * The fields whose access rule in the graph lets somebody in whom it did not let in before, whichever directive did it, on the
 * field, on a type or in another subgraph. What is merely written in another way is no difference.
 */
export function compareAccess(before: AccessedGraph, after: AccessedGraph): Weakened[] {
  const [was, is] = [rulesOf(before), rulesOf(after)]
  return Object.values(after.api.getTypeMap()).flatMap((type) => {
    if (!isObjectType(type) && !isInterfaceType(type)) return []
    const known = before.api.getType(type.name)
    if (!isObjectType(known) && !isInterfaceType(known)) return []
    return Object.keys(type.getFields()).flatMap((field) => {
      const rule = was(type.name, field)
      if (!rule || !known.getFields()[field] || asksForAll(is(type.name, field), rule)) return []
      return [{ field: `${type.name}.${field}`, before: inWords(rule), after: inWords(is(type.name, field)) }]
    })
  })
}

export type AccessedGraph = { readonly api: GraphQLSchema; readonly supergraphSdl: string }

function rulesOf({ api, supergraphSdl }: AccessedGraph): AccessRules {
  const document = parse(supergraphSdl, { noLocation: true })
  return compileAccessRules(document, api, everyPolicy(document))
}

/** Whether policies are defined is asked elsewhere: here any name is one. */
function everyPolicy(document: DocumentNode): Policies {
  const policies: Record<string, () => boolean> = {}
  visit(document, {
    StringValue({ value }) {
      policies[value] = () => false
    },
  })
  return policies
}

/** Whether whoever meets one rule meets the other. */
function asksForAll(rule: Rule | undefined, other: Rule): boolean {
  if (!rule) return false
  const ways = waysOf(rule)
  return ways?.every((way) => waysOf(other)?.some((enough) => enough.isSubsetOf(way))) ?? false
}

/** Undefined where there are too many to look at. */
function waysOf(rule: Rule): Ways | undefined {
  let ways: Ways = [new Set()]
  for (const check of rule) {
    if (check.kind === 'authenticated') continue
    const sets = check.anyOf.map(
      (set) => new Set(set.map((name) => `${check.kind === 'scopes' ? 'the scope' : 'the policy'} ${name}`)),
    )
    if (ways.length * sets.length > mostWays) return undefined
    ways = least(ways.flatMap((way) => sets.map((set) => way.union(set))))
  }
  return ways
}

/** Without those that ask for all of another, and more. */
function least(ways: Ways): Ways {
  return ways.filter(
    (way, index) =>
      !ways.some((other, at) => at !== index && other.isSubsetOf(way) && (other.size < way.size || at < index)),
  )
}

function inWords(rule: Rule | undefined): string {
  if (!rule) return 'nothing'
  const ways = waysOf(rule)
  if (!ways) return 'too much to tell'
  return ways.map((way) => (way.size === 0 ? 'a token' : [...way].sort().join(' and '))).join(', or ')
}

/** Where a change says that it takes access rules away on purpose. */
export const removalsFile = 'schema/access-removals.yaml'

const removals = z.array(z.strictObject({ field: z.string().regex(/^\w+\.\w+$/), reason: z.string().trim().min(10) }))

export type Removal = z.infer<typeof removals>[number]

/** Reads the file. Throws with what is wrong with it. */
export function parseRemovals(text: string | undefined): Removal[] {
  const { data, error } = removals.safeParse(parseYaml(text ?? '') ?? [])
  if (data) return data
  throw new Error(error.issues.map(({ path, message }) => `${removalsFile}: ${path.join('.')}: ${message}`).join('\n'))
}
