import {
  type ConstDirectiveNode,
  type DocumentNode,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLSchema,
  GraphQLString,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type TypeNode,
  valueFromAST,
} from 'graphql'
import type { Principal } from '#platform/principal.ts'
import { type LinkedFeature, linkedFeatures, specifications } from '../supergraph.ts'

/** One thing that a caller must bring. */
export type Check =
  | { readonly kind: 'authenticated' }
  /** Every scope of one of the sets. */
  | { readonly kind: 'scopes'; readonly anyOf: readonly (readonly string[])[] }
  /** Every policy of one of the sets. */
  | { readonly kind: 'policies'; readonly anyOf: readonly (readonly string[])[] }

/** All that a field asks of its caller. */
export type Rule = readonly Check[]

/** What `@policy` names: whether a caller meets it. */
export type Policies = Readonly<Record<string, (principal: Principal) => boolean>>

/** https://specs.apollo.dev/authenticated, https://specs.apollo.dev/requiresScopes, https://specs.apollo.dev/policy */
const readers: Record<string, (directive: ConstDirectiveNode) => Check> = {
  authenticated: () => ({ kind: 'authenticated' }),
  requiresScopes: (directive) => ({ kind: 'scopes', anyOf: setsOf(directive, 'scopes') }),
  policy: (directive) => ({ kind: 'policies', anyOf: setsOf(directive, 'policies') }),
}

/**
 * The access rules of a supergraph schema, by field: those of the field, of the type it is on and of the type it returns.
 * A field of an interface asks for what the same field asks for on every type behind it, since any of them may answer.
 * Throws for a policy that nobody defines, since nobody could meet it, and for rules that cannot be read.
 */
export function compileAccessRules(supergraph: DocumentNode, schema: GraphQLSchema, policies: Policies) {
  const declared = declaredRules(supergraph)
  const named = new Set(
    [...declared.values()].flat().flatMap((check) => (check.kind === 'policies' ? check.anyOf.flat() : [])),
  )
  const unknown = [...named].filter((name) => !Object.hasOwn(policies, name))
  if (unknown.length > 0) throw new Error(`The supergraph asks for policies that nobody defines: ${unknown.join(', ')}`)

  const on = (coordinate: string): Rule => declared.get(coordinate) ?? []
  const { objects, returns } = implementations(supergraph)
  const rules = new Map<string, Rule>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    const behind = [...(objects.get(type.name) ?? [])]
    const fields = Object.values(type.getFields()).map(({ name, type: returned }) => ({
      name,
      rule: [
        ...on(`${type.name}.${name}`),
        ...on(getNamedType(returned).name),
        ...behind.flatMap((object) => [
          ...on(object),
          ...on(`${object}.${name}`),
          // An object may return a narrower type than the interface says.
          ...on(returns.get(`${object}.${name}`) ?? ''),
        ]),
      ],
    }))
    for (const { name, rule } of [...fields, { name: '__typename', rule: [] }]) {
      const whole = [...on(type.name), ...rule]
      if (whole.length > 0) rules.set(`${type.name}.${name}`, whole)
    }
  }
  /** Undefined where everybody may see the field. */
  return (type: string, field: string): Rule | undefined => rules.get(`${type}.${field}`)
}

export type AccessRules = ReturnType<typeof compileAccessRules>

/** Tells whether the caller brings what the rule asks for. Nobody who is anonymous does, whatever the rule. */
export function meets(principal: Principal, rule: Rule, policies: Policies): boolean {
  if (principal.anonymous) return false
  return rule.every((check) => {
    if (check.kind === 'authenticated') return true
    const has =
      check.kind === 'scopes'
        ? (scope: string) => principal.scopes.includes(scope)
        : (policy: string) => policies[policy]?.(principal) === true
    return check.anyOf.some((set) => set.every(has))
  })
}

/** What stands in the supergraph schema, by type (`User`) and by field (`User.email`). */
function declaredRules(supergraph: DocumentNode): Map<string, Rule> {
  const byDirective = readersByDirective(supergraph)
  const rules = new Map<string, Rule>()
  const declare = (coordinate: string, directives: readonly ConstDirectiveNode[] = []) => {
    const checks = directives.flatMap((directive) => byDirective.get(directive.name.value)?.(directive) ?? [])
    if (checks.length > 0) rules.set(coordinate, [...(rules.get(coordinate) ?? []), ...checks])
  }
  for (const node of supergraph.definitions) {
    if (!('name' in node) || !node.name || !('directives' in node)) continue
    const { value: type } = node.name
    if (node.kind === Kind.DIRECTIVE_DEFINITION || node.kind === Kind.OPERATION_DEFINITION) continue
    declare(type, node.directives as readonly ConstDirectiveNode[])
    if (!('fields' in node)) continue
    for (const field of node.fields ?? []) declare(`${type}.${field.name.value}`, field.directives)
  }
  return rules
}

function readersByDirective(supergraph: DocumentNode) {
  const linked = linkedFeatures(supergraph).flatMap((feature) => {
    const read = readerOf(feature)
    return read ? [[feature.directive, read] as const] : []
  })
  const defined = new Set(
    supergraph.definitions.flatMap((node) => (node.kind === Kind.DIRECTIVE_DEFINITION ? [node.name.value] : [])),
  )
  const missing = linked.map(([directive]) => directive).filter((directive) => !defined.has(directive))
  // Its rules would stand under a name that we do not look for.
  if (missing.length > 0)
    throw new Error(`The supergraph defines no directive @${missing.join(', @')}, and links to it`)
  return new Map(linked)
}

function readerOf({ identity }: LinkedFeature) {
  const [, read] = Object.entries(readers).find(([name]) => identity === `${specifications}/${name}`) ?? []
  return read
}

/** The object types of each interface and what their fields return, also of those that clients do not see. */
function implementations(supergraph: DocumentNode) {
  const objects = new Map<string, Set<string>>()
  const returns = new Map<string, string>()
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.OBJECT_TYPE_EXTENSION) continue
    for (const { name } of node.interfaces ?? []) {
      objects.set(name.value, (objects.get(name.value) ?? new Set()).add(node.name.value))
    }
    for (const { name, type } of node.fields ?? []) returns.set(`${node.name.value}.${name.value}`, namedTypeOf(type))
  }
  return { objects, returns }
}

function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type)
}

const sets = new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(GraphQLString)))))

/** `[["a", "b"], ["c"]]`, or what GraphQL takes for such a list: `"a"` and `["a", "b"]` are `[["a"]]` and `[["a"], ["b"]]`. */
function setsOf({ name: directive, arguments: args = [] }: ConstDirectiveNode, name: string): string[][] {
  const argument = args.find((arg) => arg.name.value === name)
  const value = argument && valueFromAST(argument.value, sets)
  if (value) return value as string[][]
  throw new Error(`The supergraph has a @${directive.value} whose ${name} are no list of lists of strings`)
}
