import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Supergraph } from '@apollo/federation-internals'
import {
  type GraphQLField,
  getNamedType,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
  type OperationDefinitionNode,
  parse,
  print,
} from 'graphql'
import type { Principal } from '#platform/principal.ts'
import { filterOperation } from '../gateway/authorization/filter.ts'
import { compileAccessRules, meets, type Rule } from '../gateway/authorization/rules.ts'
import { policies } from '../gateway/policies.ts'
import { withoutSecurity } from '../gateway/supergraph.ts'
import { root } from '../tools/services.ts'

const sdl = withoutSecurity(readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8'), 'supergraph.graphql')
const schema = Supergraph.build(sdl).apiSchema().toGraphQLJSSchema()
const rules = compileAccessRules(parse(sdl), schema, policies)

const anonymous: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }
const signedIn: Principal = { ...anonymous, sub: 'u', anonymous: false }

/** The shortest way to each field, as an operation that asks for nothing else. */
const ways = new Map<string, string>()
for (const kind of ['query', 'mutation'] as const) {
  const type = kind === 'query' ? schema.getQueryType() : schema.getMutationType()
  if (type) walk(type.name, (inner) => `${kind} ${inner}`)
}

function walk(start: string, wrapStart: (inner: string) => string): void {
  const queue = [{ type: start, wrap: wrapStart }]
  const visited = new Set([start])
  for (const { type: name, wrap } of queue) {
    const type = schema.getType(name)
    if (!isObjectType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const way = wrap(`{ ${call(field)}${isCompositeType(getNamedType(field.type)) ? ' { __typename }' : ''} }`)
      if (!ways.has(`${name}.${field.name}`)) ways.set(`${name}.${field.name}`, way)
      const next = getNamedType(field.type)
      if (!isObjectType(next) || visited.has(next.name)) continue
      visited.add(next.name)
      queue.push({ type: next.name, wrap: (inner) => wrap(`{ ${call(field)} ${inner} }`) })
    }
  }
}

/** A field with its required arguments. What they say does not matter here. */
function call({ name, args }: GraphQLField<unknown, unknown>): string {
  const required = args.filter(isRequiredArgument).map((arg) => `${arg.name}: "x"`)
  return required.length > 0 ? `${name}(${required.join(', ')})` : name
}

/** Whether a caller's operation still asks for the field when it is planned. */
function reaches(principal: Principal, way: string, field: string): boolean {
  const document = parse(way)
  const refuses = (type: string, name: string) => {
    const rule = rules(type, name)
    return rule !== undefined && !meets(principal, rule, policies)
  }
  const operation = document.definitions[0] as OperationDefinitionNode
  return new RegExp(`\\b${field}\\b`).test(print(filterOperation(schema, document, operation, refuses).document))
}

const protectedFields = [...ways].flatMap(([coordinate, way]) => {
  const [type = '', field = ''] = coordinate.split('.')
  const rule = rules(type, field)
  return rule ? [{ coordinate, field, way, rule }] : []
})

/** A caller with all that any rule on the way asks for, and nothing that this one field alone asks for. */
function scopesOf(rule: Rule): string[] {
  return rule.flatMap((check) => (check.kind === 'scopes' ? (check.anyOf[0] ?? []) : []))
}
const everyScope = [...new Set(protectedFields.flatMap(({ rule }) => scopesOf(rule)))]

describe('every protected field of the supergraph', () => {
  assert.ok(protectedFields.length > 0)
  for (const { coordinate, field, way, rule } of protectedFields) {
    test(coordinate, () => {
      assert.equal(reaches(anonymous, way, field), false, 'is not asked for without a token')
      assert.equal(reaches({ ...signedIn, scopes: everyScope }, way, field), true, 'is asked for with every scope')
      const scopes = scopesOf(rule)
      if (scopes.length > 0) {
        assert.equal(reaches(signedIn, way, field), false, 'is not asked for without a scope')
        for (const scope of scopes) {
          const others = everyScope.filter((other) => other !== scope)
          assert.equal(reaches({ ...signedIn, scopes: others }, way, field), false, `is not asked for without ${scope}`)
        }
      } else if (rule.every(({ kind }) => kind === 'authenticated') && !needsScope(way)) {
        assert.equal(reaches(signedIn, way, field), true, 'is asked for with a token')
      }
    })
  }
})

/** Whether any field on the way asks for a scope. */
function needsScope(way: string): boolean {
  return protectedFields.some(({ field, rule }) => scopesOf(rule).length > 0 && new RegExp(`\\b${field}\\b`).test(way))
}

test('orders and notifications are for callers with a token alone', () => {
  const open = [...ways.keys()].filter((coordinate) => !rules(...(coordinate.split('.') as [string, string])))
  assert.deepEqual(
    open.filter((coordinate) => /^(Order|Notification|Delivery|Payment)\./.test(coordinate)),
    [],
  )
})
