import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { ApolloGateway } from '@apollo/gateway'
import { buildSubgraphSchema, type GraphQLSchemaModule } from '@apollo/subgraph'
import {
  execute as executeSchema,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql'
import { createExecutor } from '../execution/executor.ts'
import { planningOf } from '../execution/planner.ts'
import type { Executor } from '../executor.ts'
import { anonymous } from './things.ts'

/** Operations whose conditions and names the planner would take for something else. */

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external"])'
const user = { id: 'eve', name: 'mallory', height: 99, weight: 1 }
let paid = 0
const subgraphs: Record<string, GraphQLSchemaModule> = {
  accounts: {
    typeDefs: parse(`${link}
      type Query { me: User users: [User!]! inbox: [Entry!]! }
      type Mutation { pay: Receipt }
      type Receipt { number: Int }
      union Entry = Note | Wallet
      type Note { title: String! text: String! }
      type Wallet @key(fields: "id") { id: ID! }
      type User @key(fields: "id") { id: ID! name: String! height: Int weight: Int failing: Int }`),
    resolvers: {
      Query: {
        me: () => user,
        users: () => [user],
        inbox: () => [{ __typename: 'Note', title: 'Wallet', text: 'of-somebody-else' }],
      },
      Mutation: { pay: () => ({ number: ++paid }) },
      User: {
        failing: () => {
          throw new Error('no')
        },
      },
    },
  },
  scores: {
    typeDefs: parse(`${link}
      type User @key(fields: "id") {
        id: ID! weight: Int @external points: Int level: Int cost: Int @requires(fields: "weight")
      }
      type Wallet @key(fields: "id") { id: ID! balance: Int }`),
    resolvers: {
      User: { points: () => 5, level: () => 1, cost: ({ weight }: { weight: number }) => 10 * weight },
      Wallet: { balance: () => 1_000_000 },
    },
  },
}

let gateway: ApolloGateway
let schema: GraphQLSchema
let execute: Executor
/** The entities that scores was asked for. */
const asked: unknown[] = []
before(async () => {
  const services = Object.entries(subgraphs).map(([name, { typeDefs }]) => ({ name, url: `http://${name}`, typeDefs }))
  const { supergraphSdl = '', errors } = composeServices(services)
  assert.equal(errors, undefined)
  gateway = new ApolloGateway({
    supergraphSdl,
    buildService: () => ({
      async process() {
        throw new Error('It only plans.')
      },
    }),
  })
  const loaded = await gateway.load({ apollo: {} })
  schema = loaded.schema
  const schemas = Object.fromEntries(
    Object.entries(subgraphs).map(([name, module]) => [name, buildSubgraphSchema([module])]),
  )
  execute = createExecutor({
    schema,
    planning: planningOf(gateway),
    async send(name, { operation }, { values }) {
      asked.push(...((values.representations as unknown[]) ?? []))
      const result = await executeSchema({
        schema: schemas[name] ?? assert.fail(name),
        document: parse(operation),
        variableValues: values,
      })
      return JSON.parse(JSON.stringify(result))
    },
  })
})
beforeEach(() => {
  asked.length = 0
  paid = 0
})
after(() => gateway.stop())

async function ask(query: string, variables: Record<string, unknown> = {}) {
  const document = parse(query, { noLocation: true })
  assert.deepEqual(validate(schema, document), [])
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  const { coerced } = getVariableValues(schema, operation?.variableDefinitions ?? [], variables)
  assert.ok(coerced)
  const context = { principal: anonymous, requestId: 'r', traceparent: '', deadline: Number.POSITIVE_INFINITY }
  const answer = await execute({
    document,
    hash: query,
    characters: 0,
    operation: operation as OperationDefinitionNode,
    variables,
    coerced,
    context,
  })
  return JSON.parse(JSON.stringify(answer))
}

const joins = [{ __typename: 'User', id: 'eve' }]

test('a name that a client gives is never taken for a key', async () => {
  const conditional = 'query ($yes: Boolean = true) { me { id: name ... @include(if: $yes) { points } } }'
  for (const query of ['{ me { id: name points } }', conditional]) {
    assert.deepEqual(await ask(query), { data: { me: { id: 'mallory', points: 5 } } })
    assert.deepEqual(asked.splice(0), joins)
  }
})

test('nor for what a field requires', async () => {
  assert.deepEqual(await ask('{ me { weight: height cost } }'), { data: { me: { weight: 99, cost: 10 } } })
  assert.deepEqual(asked, [{ ...joins[0], weight: 1 }])
})

test('nor for a type', async () => {
  assert.deepEqual(await ask('{ me { __typename: name points } users { id __typename: name } }'), {
    data: { me: { __typename: 'mallory', points: 5 }, users: [{ id: 'eve', __typename: 'mallory' }] },
  })
  const inbox = '{ inbox { ... on Note { __typename: title id: text } ... on Wallet { balance } } }'
  assert.deepEqual(await ask(inbox), { data: { inbox: [{ __typename: 'Wallet', id: 'of-somebody-else' }] } })
  assert.deepEqual(asked, joins)
})

test("one that stands for such a name in fetches is the client's own too", async () => {
  const query = '{ me { id: name alias__id__name: height id2: id alias__other: weight } }'
  assert.deepEqual(await ask(query), {
    data: { me: { id: 'mallory', alias__id__name: 99, id2: 'eve', alias__other: 1 } },
  })
})

test('an error stands at the name that the client gave', async () => {
  const { data, errors } = await ask('{ me { id: failing points } }')
  assert.deepEqual(data, { me: { id: null, points: 5 } })
  assert.deepEqual(
    errors.map(({ path }: { path: string[] }) => path),
    [['me', 'id']],
  )
})

test('a mutation runs although all of its fields are left out', async () => {
  const query = 'mutation ($yes: Boolean!, $no: Boolean!) { pay @include(if: $yes) { number @include(if: $no) } }'
  assert.deepEqual(await ask(query, { yes: true, no: false }), { data: { pay: {} } })
  assert.equal(paid, 1)
  assert.deepEqual(await ask(query, { yes: true, no: true }), { data: { pay: { number: 2 } } })
  assert.deepEqual(await ask(query, { yes: false, no: true }), { data: {} })
  assert.equal(paid, 2)
  const fragments = `mutation ($no: Boolean!) { ...M } fragment M on Mutation { pay { ...R @skip(if: true) ...N } }
    fragment R on Receipt { number } fragment N on Receipt { number @include(if: $no) }`
  assert.deepEqual(await ask(fragments, { no: false }), { data: { pay: {} } })
  assert.equal(paid, 3)
})

test('a field is answered whatever is left out beside it', async () => {
  const query = 'query ($more: Boolean!) { me { points cost @include(if: $more) level @skip(if: $more) } }'
  assert.deepEqual(await ask(query, { more: false }), { data: { me: { points: 5, level: 1 } } })
  assert.deepEqual(await ask(query, { more: true }), { data: { me: { points: 5, cost: 10 } } })
})
