import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { Supergraph } from '@apollo/federation-internals'
import { buildSchema, parse } from 'graphql'
import { compileAccessRules, type Policies } from '../authorization/rules.ts'
import { withoutSecurity } from '../supergraph.ts'

const signIn = [{ kind: 'authenticated' }]
const policies: Policies = { vip: () => true }
const imports = '["@authenticated", "@requiresScopes", "@policy", "@inaccessible"]'

/** The rules of one subgraph's supergraph, by `Type.field`. */
function rulesOf(typeDefs: string, { change = (sdl: string) => sdl, known = policies } = {}) {
  const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${imports})`
  const services = [{ name: 'things', url: 'http://things', typeDefs: parse(`${link} ${typeDefs}`) }]
  const { supergraphSdl = '', errors } = composeServices(services)
  assert.equal(errors, undefined)
  const sdl = withoutSecurity(change(supergraphSdl), 'test')
  const schema = Supergraph.build(sdl).apiSchema().toGraphQLJSSchema()
  const rules = compileAccessRules(parse(sdl), schema, known)
  return (coordinate: string) => rules(...(coordinate.split('.') as [string, string]))
}

describe('a field of an interface asks for what any type behind it asks for', () => {
  const holder = 'type Query { holder: Holder } interface Holder { x: Anything } union Anything = Gem | Rock'
  const things = 'type Gem @authenticated { id: ID } type Rock { id: ID }'

  test('for the type that an object returns in place of a wider one', () => {
    const rule = rulesOf(`${holder} ${things} type Box implements Holder { x: Gem }`)
    assert.deepEqual(rule('Holder.x'), signIn)
    assert.deepEqual(rule('Box.x'), signIn)
    assert.equal(rule('Query.holder'), undefined)
  })

  test('also when clients do not see the object', () => {
    const bag = 'type Bag implements Holder { x: Anything }'
    const rule = rulesOf(`${holder} ${things} ${bag} type Box implements Holder @inaccessible { x: Gem }`)
    assert.deepEqual(rule('Holder.x'), signIn)
    assert.equal(rule('Bag.x'), undefined)
  })

  test('also when clients do not see the object that is protected', () => {
    const node = 'type Query { node: Node } interface Node { id: ID name: String }'
    const hidden = 'type Hidden implements Node @inaccessible { id: ID @authenticated name: String }'
    const unmarked = (sdl: string) => sdl.replace(/(interface Node[^}]*id: ID) @authenticated/, '$1')
    const rule = rulesOf(`${node} ${hidden} type Open implements Node { id: ID name: String }`, { change: unmarked })
    assert.deepEqual(rule('Node.id'), signIn)
    assert.equal(rule('Node.name'), undefined)
    assert.equal(rule('Open.id'), undefined)
  })
})

test('one value stands for the list that holds it, as everywhere in GraphQL', () => {
  const scopes = (value: string) => rulesOf(`type Query { a: Int @requiresScopes(scopes: ${value}) }`)('Query.a')
  assert.deepEqual(scopes('"read"'), [{ kind: 'scopes', anyOf: [['read']] }])
  assert.deepEqual(scopes('["read"]'), [{ kind: 'scopes', anyOf: [['read']] }])
  assert.deepEqual(scopes('["a", "b"]'), [{ kind: 'scopes', anyOf: [['a'], ['b']] }])
  assert.deepEqual(scopes('[["read", "deep"], "all"]'), [{ kind: 'scopes', anyOf: [['read', 'deep'], ['all']] }])
  const policy = rulesOf('type Query { a: Int @policy(policies: "vip") }')('Query.a')
  assert.deepEqual(policy, [{ kind: 'policies', anyOf: [['vip']] }])
})

/** The rule on `Query.a` of a supergraph schema that was written by hand. */
function ruleOnA(link: string, definition: string, directive: string) {
  const schema = 'schema @link(url: "https://specs.apollo.dev/link/v1.0")'
  const sdl = `${schema} ${link} { query: Query } ${definition} type Query { a: Int ${directive} }`
  return compileAccessRules(parse(sdl), buildSchema('type Query { a: Int }'), policies)('Query', 'a')
}

test('rules that cannot be read stop the start', () => {
  const link = '@link(url: "https://specs.apollo.dev/requiresScopes/v0.1")'
  const definition = 'directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION'
  for (const scopes of ['(scopes: [[["read"]]])', '(scopes: [[read]])', '(scopes: [null])', '(scopes: null)', '']) {
    assert.throws(() => ruleOnA(link, definition, `@requiresScopes${scopes}`), /no list of lists of strings/, scopes)
  }
})

test('a rule is found under the name that its directive was imported by', () => {
  const link = (rest: string) => `@link(url: "https://specs.apollo.dev/authenticated/v0.1", ${rest})`
  const names = {
    'as: "auth"': 'auth',
    'as: "auth", import: ["@authenticated"]': 'authenticated',
    'as: "auth", import: [{ name: "@authenticated", as: "@signedIn" }]': 'signedIn',
  }
  for (const [rest, name] of Object.entries(names)) {
    assert.deepEqual(ruleOnA(link(rest), `directive @${name} on FIELD_DEFINITION`, `@${name}`), signIn, rest)
  }
})

test('rules whose directive is not defined under its name stop the start', () => {
  const link = '@link(url: "https://specs.apollo.dev/authenticated/v0.1", as: "auth", for: SECURITY)'
  const definition = 'directive @authenticated on FIELD_DEFINITION'
  assert.throws(() => ruleOnA(link, definition, '@authenticated'), /defines no directive @auth, and links to it/)
})

test('a policy that nobody defines stops the start', () => {
  const typeDefs = 'type Query { a: Int @policy(policies: [["vip"], ["odd", "even"]]) }'
  assert.throws(() => rulesOf(typeDefs, { known: {} }), /policies that nobody defines: vip, odd, even/)
})
