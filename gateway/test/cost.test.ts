import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { Supergraph } from '@apollo/federation-internals'
import { buildSchema, type DocumentNode, type OperationDefinitionNode, parse } from 'graphql'
import { cpuTimeOf } from '../../test/infra/cpu-time.ts'
import { compileCosts } from '../cost.ts'

const link = '@link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost", "@listSize"])'
const sdl = (types: string) => `
  schema ${link} { query: Query mutation: Mutation }
  type Mutation { touch: User weigh: Int @cost(weight: 100) make(input: In!): User }
  input In { name: String @cost(weight: 2) parts: [In!] kind: Kind }
  enum Kind @cost(weight: 3) { A B }
  scalar Heavy @cost(weight: 5)
  ${types}
`
const shop = sdl(`
  type Query {
    me: User
    text: String
    kind: Kind
    kinds: [Kind] @listSize(assumedSize: 4)
    heavy: Heavy
    light: Heavy @cost(weight: 0)
    dear: User @cost(weight: 7)
    rebate: User @cost(weight: -50)
    find(text: String @cost(weight: 4), in: In, ids: [Int] @cost(weight: 2)): User
    free(text: String = "x" @cost(weight: 4)): Int
    users(first: Int = 20, last: Int): UserConnection
      @listSize(slicingArguments: ["first", "last"], sizedFields: ["edges", "nodes"], assumedSize: 30, requireOneSlicingArgument: false)
    list: [User]
    assumed: [User] @listSize(assumedSize: 5)
    sliced(first: Int, ids: [ID!]): [User] @listSize(slicingArguments: ["first", "ids"], requireOneSlicingArgument: false, assumedSize: 6)
    one(first: Int, last: Int): [User] @listSize(slicingArguments: ["first", "last"])
    matrix: [[User]] @listSize(assumedSize: 2)
    node: Node
    nodes: [Node] @listSize(assumedSize: 5)
    anything: Anything
  }
  interface Node { id: ID self: Node }
  type User implements Node { id: ID name: String self: Node friend: User friends: [User] @listSize(assumedSize: 3) }
  type Vault implements Node @cost(weight: 9) { id: ID self: Node gold: Heavy }
  union Anything = User | Vault
  type UserConnection { edges: [UserEdge] nodes: [User] others: [User] total: Int }
  type UserEdge { node: User }
`)

function compile(types = shop, defaultListSize = 10) {
  const costOf = compileCosts(parse(types), buildSchema(types, { assumeValidSDL: true }), { defaultListSize })
  return (source: string) => {
    const document = parse(source)
    return costOf(document, operationOf(document))
  }
}
function operationOf(document: DocumentNode): OperationDefinitionNode {
  const found = document.definitions.find((node) => node.kind === 'OperationDefinition')
  assert.ok(found)
  return found
}
const costs = compile()
const estimate = (source: string, variables = {}) => costs(source).estimate(variables)

describe('an estimate', () => {
  const figures: Record<string, [source: string, cost: number][]> = {
    'is 1 for an object and 0 for a scalar, an enum and a query': [
      ['{ text }', 0],
      ['{ __typename }', 0],
      ['{ me { id name } }', 1],
      ['{ me { friend { friend { id } } } }', 3],
    ],
    'is 10 for each root field of a mutation': [
      ['mutation { touch { id } }', 11],
      ['mutation { a: touch { id } b: touch { id } }', 22],
      ['mutation { weigh }', 110],
    ],
    'is what @cost says of a field, or else of the type that it returns': [
      ['{ kind }', 3],
      ['{ kinds }', 12],
      ['{ heavy }', 5],
      ['{ light }', 0],
      ['{ dear { id } }', 7],
      ['{ anything { ... on Vault { gold } } }', 9 + 5],
    ],
    'is never less for a field that is said to cost less than nothing': [
      ['{ rebate { id } me { id } }', 1],
      ['{ rebate { friends { id } } me { id } }', 1],
    ],
    'counts arguments that have a value, given or by default': [
      ['{ find { id } }', 1],
      ['{ find(text: "a") { id } }', 1 + 4],
      ['{ find(text: null) { id } }', 1],
      ['{ free }', 4],
      ['{ find(ids: [1, 2, 3]) { id } }', 1 + 2 + 3 * 2],
    ],
    'counts input objects and what is in them': [
      ['{ find(in: {}) { id } }', 1 + 1],
      ['{ find(in: { name: "a", kind: A }) { id } }', 1 + 1 + 2 + 3],
      ['mutation { make(input: { parts: [{ name: "a" }, {}] }) { id } }', 10 + 1 + 1 + (1 + 2) + 1],
    ],
    'multiplies by the size of a list, the assumed or else the default': [
      ['{ assumed { id } }', 5],
      ['{ assumed { friends { id } } }', 5 * (1 + 3)],
      ['{ list { id } }', 10],
      ['{ matrix { id } }', 2 * 10],
    ],
    'multiplies by the largest slicing argument': [
      ['{ sliced(first: 7) { id } }', 7],
      ['{ sliced(first: 2, ids: ["a", "b", "c"]) { id } }', 3],
      ['{ sliced { id } }', 6],
      ['{ sliced(first: 9, ids: []) { id } }', 9],
      ['{ users(first: 3, last: 8) { nodes { id } } }', 1 + 8],
    ],
    'sizes the fields below a connection, and no others': [
      ['{ users { edges { node { id } } } }', 1 + 20 * 2],
      ['{ users(first: 5) { edges { node { friend { id } } } nodes { id } total } }', 1 + 5 * 3 + 5],
      ['{ users(first: 5) { others { id } } }', 1 + 10],
      ['{ users(first: 5) { ...C } } fragment C on UserConnection { ... { nodes { id } } }', 1 + 5],
    ],
    'counts once what is asked for twice under one name': [
      ['{ me { id } me { id friend { id } } ...Q } fragment Q on Query { me { friend { name } } }', 2],
      ['{ me { id } also: me { id } }', 2],
    ],
    'of an abstract type is that of the dearest type behind it': [
      ['{ node { id } }', 9],
      ['{ anything { ... on User { friends { id } } ... on Vault { gold } } }', 9 + 5],
      ['{ anything { ... on User { friends { friends { id } } } ... on Vault { gold } } }', 9 + 3 + 9],
      ['{ nodes { self { id } } }', 5 * (9 + 9)],
    ],
    'leaves out what is skipped': [
      ['{ me @skip(if: true) { id } }', 0],
      ['{ me @include(if: false) { id } text }', 0],
      ['{ me @include(if: true) { id } }', 1],
    ],
    'is one figure for introspection, whatever is asked': [
      ['{ __schema { types { fields { type { fields { name } } } } } }', 100],
      ['{ a: __type(name: "A") { name } b: __type(name: "B") { name } }', 200],
    ],
  }
  for (const [guarantee, operations] of Object.entries(figures)) {
    test(guarantee, () => {
      for (const [source, cost] of operations) assert.equal(estimate(source), cost, source)
    })
  }

  test('reads variables, with their defaults and those of arguments', () => {
    const users = costs('query ($n: Int = 4) { users(first: $n) { nodes { id } } }')
    assert.equal(users.estimate({}), 1 + 4)
    assert.equal(users.estimate({ n: 50 }), 1 + 50)
    assert.equal(users.estimate({ n: null }), 1 + 30)
    const plain = costs('query ($n: Int) { users(first: $n) { nodes { id } } }')
    assert.equal(plain.estimate({}), 1 + 20)
    const inner = costs('query ($name: String) { find(in: { name: $name }) { id } }')
    assert.equal(inner.estimate({}), 1 + 1)
    assert.equal(inner.estimate({ name: 'a' }), 1 + 1 + 2)
    const input = costs('mutation ($in: In!) { make(input: $in) { id } }')
    assert.equal(input.estimate({ in: { parts: [{}, {}, { parts: [{}] }] } }), 10 + 1 + 5)
    assert.equal(costs('query ($constructor: Int) { sliced(first: $constructor) { id } }').estimate({}), 6)
  })

  test('leaves out what its variables skip, and counts it when they do not', () => {
    const me = costs(
      'query ($a: Boolean!, $b: Boolean = true) { me @include(if: $a) { friend @skip(if: $b) { id } id } }',
    )
    assert.equal(me.estimate({ a: false }), 0)
    assert.equal(me.estimate({ a: true }), 1)
    assert.equal(me.estimate({ a: true, b: false }), 2)
    assert.equal(me.estimate({ a: false, b: false }), 0)
  })

  test('refuses what does not give a list its one slicing argument', () => {
    assert.equal(estimate('{ one(first: 3) { id } }'), 3)
    for (const source of ['{ one { id } }', '{ one(first: 1, last: 1) { id } }', '{ one(first: null) { id } }']) {
      assert.throws(() => estimate(source), { code: 'BAD_USER_INPUT', details: { field: 'first' } }, source)
    }
    const given = costs('query ($a: Int, $b: Int) { one(first: $a, last: $b) { id } }')
    assert.equal(given.estimate({ b: 4 }), 4)
    assert.throws(() => given.estimate({ a: 1, b: 4 }), /Query\.one wants exactly one of: first, last\./)
  })

  test('is no lower for a size that is none', () => {
    const sliced = costs('query ($n: Int) { sliced(first: $n) { id } }')
    for (const n of [-1, 0, -1e308, Number.NaN, 'many', '', true, {}, [], null])
      assert.equal(sliced.estimate({ n }), 6, String(n))
    assert.equal(sliced.estimate({ n: '12' }), 12)
    assert.equal(sliced.estimate({ n: 1.5 }), 2)
    const both = costs('query ($n: Int) { sliced(first: $n, ids: ["a"]) { id } }')
    assert.equal(both.estimate({ n: -5 }), 6)
  })

  test('stops at the largest whole number, and is never infinite', () => {
    const most = Number.MAX_SAFE_INTEGER
    const users = costs('query ($n: Int) { users(first: $n) { nodes { friends { friends { id } } } } }')
    for (const n of [1e308, Number.POSITIVE_INFINITY, most]) assert.equal(users.estimate({ n }), most)
    assert.equal(estimate(`{ sliced(first: ${'9'.repeat(400)}) { id } }`), most)
    assert.equal(estimate(`{ list { ${nested('friends', 40)} } }`), most)
    let deep = {}
    for (let level = 0; level < 5_000; level++) deep = { parts: [deep] }
    assert.equal(costs('mutation ($in: In!) { make(input: $in) { id } }').estimate({ in: deep }), most)
  })

  test('takes linear time for fragments that multiply', () => {
    const levels = 300
    const fragments = Array.from(
      { length: levels },
      (_, i) => `fragment F${i} on User { a: friend { ...F${i + 1} } b: friend { ...F${i + 1} ...F${i + 1} } }`,
    )
    const source = `query ($n: Int) { sliced(first: $n) { ...F0 } } ${fragments.join(' ')} fragment F${levels} on User { id }`
    const cost = costs(source)
    const time = cpuTimeOf(() => assert.equal(cost.estimate({ n: 1 }), Number.MAX_SAFE_INTEGER))
    assert.ok(time < 500, `${time} ms`)
    const few = source.replace('...F0', '...F298')
    assert.equal(costs(few).estimate({ n: 2 }), 2 * (1 + 2 + 4))
  })

  test('is the most there is for what was made to be hard to look at', () => {
    assert.equal(estimate('{ me { ...F } } fragment F on User { friend { ...F } }'), Number.MAX_SAFE_INTEGER)
    assert.equal(estimate(`{ me { ${nested('friend', 2_000)} } }`), Number.MAX_SAFE_INTEGER)
    // Every path through the fragments asks for another set of them.
    const pairs = Array.from({ length: 20 }, (_, i) => {
      const next = `...G${i + 1}`
      return `fragment G${i} on User { a: friend { ${next} } b: friend { ${next} x${i}: friend { id } ...H${i} } }
        fragment H${i} on User { a: friend { y${i}: name ...H${(i + 1) % 21} } b: friend { ...H${(i + 1) % 21} z${i}: name } }`
    })
    const source = `{ me { ...G0 } } ${pairs.join(' ')} fragment G20 on User { id } fragment H20 on User { id }`
    const time = cpuTimeOf(() => estimate(source))
    assert.ok(time < 1_000, `${time} ms`)
  })
})

describe('an actual cost', () => {
  const actual = (source: string, data: Record<string, unknown> | null, variables = {}) =>
    costs(source).actual(variables, data)

  test('is by the lengths of the lists that came', () => {
    const source = '{ users(first: 50) { edges { node { friends { id } } } } }'
    const edge = { node: { friends: [{ id: 1 }, { id: 2 }] } }
    assert.equal(actual(source, { users: { edges: [edge, edge, { node: null }] } }), 1 + 3 + 2 * 3 + 1)
    assert.equal(actual(source, { users: { edges: [] } }), 1)
    assert.equal(actual('{ matrix { id } }', { matrix: [[{}, {}], null, [{}]] }), 4)
  })

  test('is by the types of what came', () => {
    const source = '{ nodes { __typename id ... on Vault { gold } } }'
    const user = { __typename: 'User', id: 1 }
    const vault = { __typename: 'Vault', id: 2, gold: 3 }
    assert.equal(actual(source, { nodes: [user, vault, user] }), 1 + (9 + 5) + 1)
    const unnamed = '{ nodes { ... on Vault { gold } ... on User { friend { id } } } }'
    assert.equal(actual(unnamed, { nodes: [{ friend: { id: 1 } }, { gold: 3 }] }), 2 + (9 + 5))
  })

  test('counts what was asked for in vain, with its arguments', () => {
    assert.equal(actual('mutation { weigh }', { weigh: null }), 110)
    assert.equal(actual('mutation { weigh }', null), 110)
    assert.equal(actual('{ dear { friend { id } } }', { dear: null }), 7)
    assert.equal(actual('{ list { id } }', { list: null }), 0)
    assert.equal(actual('mutation ($in: In!) { make(input: $in) { id } }', { make: null }, { in: { name: 'a' } }), 14)
  })

  test('is by the fields that were not skipped', () => {
    const source = 'query ($a: Boolean!) { me { id friend @include(if: $a) { id } } }'
    assert.equal(actual(source, { me: { id: 1 } }, { a: false }), 1)
    assert.equal(actual(source, { me: { id: 1, friend: { id: 2 } } }, { a: true }), 2)
  })
})

describe('a supergraph', () => {
  const composed = (imports: string, cost: string, listSize: string) => {
    const typeDefs = parse(`
      extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${imports})
      type Query { users(first: Int): [User] @${listSize}(slicingArguments: ["first"]) node: Node }
      interface Node { friends(first: Int): [User] @${listSize}(slicingArguments: ["first"]) }
      type User implements Node { id: ID name: String @${cost}(weight: 2) friends(first: Int): [User] }
    `)
    const { supergraphSdl = '', errors } = composeServices([{ name: 'a', url: 'http://a', typeDefs }])
    assert.equal(errors, undefined)
    const api = Supergraph.build(supergraphSdl).apiSchema().toGraphQLJSSchema()
    const costOf = compileCosts(parse(supergraphSdl), api, { defaultListSize: 10 })
    return (source: string) => costOf(parse(source), operationOf(parse(source))).estimate({})
  }

  test('may call the directives what it likes', () => {
    for (const [imports, cost, listSize] of [
      ['["@cost", "@listSize"]', 'cost', 'listSize'],
      ['["@listSize"]', 'federation__cost', 'listSize'],
      ['[{ name: "@cost", as: "@price" }, { name: "@listSize", as: "@length" }]', 'price', 'length'],
    ] as const) {
      const estimated = composed(imports, cost, listSize)
      assert.equal(estimated('{ users(first: 4) { name } }'), 4 * (1 + 2), imports)
    }
  })

  test('may tell at an interface how long the lists of its types are', () => {
    const cost = composed('["@cost", "@listSize"]', 'cost', 'listSize')
    assert.equal(cost('{ node { friends(first: 4) { id } } }'), 1 + 4)
    assert.equal(cost('{ node { ... on User { friends(first: 4) { id } } } }'), 1 + 4)
  })

  test('without the directives has the defaults', () => {
    const plain = compile(shop.replace(link, ''), 7)
    assert.equal(plain('{ dear { friends { id } } heavy kind }').estimate({}), 1 + 7)
    assert.equal(plain('{ users(first: 2) { nodes { id } } }').estimate({}), 1 + 7)
  })
})

/** A field of users within itself. */
function nested(field: string, levels: number): string {
  return `${`${field} { `.repeat(levels)}id${' }'.repeat(levels)}`
}
