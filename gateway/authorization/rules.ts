import {
  type ConstDirectiveNode,
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  valueFromASTUntyped,
} from 'graphql'
import type { Principal } from '#platform/principal.ts'
import { linkedFeatures, specifications } from '../supergraph.ts'

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
 * Throws for a policy that nobody defines: nobody could meet it.
 */
export function compileAccessRules(supergraph: DocumentNode, schema: GraphQLSchema, policies: Policies) {
  const declared = declaredRules(supergraph)
  const named = new Set(
    [...declared.values()].flat().flatMap((check) => (check.kind === 'policies' ? check.anyOf.flat() : [])),
  )
  const unknown = [...named].filter((name) => !Object.hasOwn(policies, name))
  if (unknown.length > 0) throw new Error(`The supergraph asks for policies that nobody defines: ${unknown.join(', ')}`)

  const on = (coordinate: string): Rule => declared.get(coordinate) ?? []
  const rules = new Map<string, Rule>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    const behind = isInterfaceType(type) ? schema.getPossibleTypes(type) : []
    const fields = Object.values(type.getFields()).map(({ name, type: returned }) => ({
      name,
      rule: [
        ...on(`${type.name}.${name}`),
        ...on(getNamedType(returned).name),
        ...behind.flatMap((object) => [...on(object.name), ...on(`${object.name}.${name}`)]),
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
  const features = linkedFeatures(supergraph)
  const byDirective = new Map(
    Object.entries(readers).flatMap(([feature, read]) => {
      const linked = features.find(({ identity }) => identity === `${specifications}/${feature}`)
      return linked ? [[linked.directive, read] as const] : []
    }),
  )
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

function setsOf({ arguments: args = [] }: ConstDirectiveNode, name: string): string[][] {
  const argument = args.find((arg) => arg.name.value === name)
  return argument ? (valueFromASTUntyped(argument.value) as string[][]) : []
}
