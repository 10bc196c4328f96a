import assert from 'node:assert/strict'
import { composeServices } from '@apollo/composition'
import { Supergraph } from '@apollo/federation-internals'
import { ApolloGateway } from '@apollo/gateway'
import { buildSubgraphSchema } from '@apollo/subgraph'
import {
  type DocumentNode,
  execute as executeSchema,
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  parse,
  validate,
} from 'graphql'
import type { AuditEntry } from '#platform/audit.ts'
import type { Principal } from '#platform/principal.ts'
import type { Policies } from '../authorization/rules.ts'
import { createAuthorization } from '../authorization.ts'
import { createExecutor } from '../execution/executor.ts'
import { planningOf } from '../execution/planner.ts'
import type { Executed, Executor } from '../executor.ts'
import { withoutSecurity } from '../supergraph.ts'

/** One subgraph with access rules of every kind. */
const typeDefs = parse(`
  extend schema @link(
    url: "https://specs.apollo.dev/federation/v2.9"
    import: ["@key", { name: "@authenticated", as: "@signedIn" }, "@requiresScopes", "@policy"]
  )
  type Query {
    open: String
    me: User
    users: [User!]
    always: User!
    node(id: ID): Node
    nodes: [Node]
    anything: [Anything]
    secret: Secret
    level: Level
    gone: User
    parts: [Part]
  }
  type Mutation {
    rename: User @requiresScopes(scopes: [["write"]])
    replace: User! @requiresScopes(scopes: [["write"]])
    touch: User
    swap: User!
  }
  interface Node { id: ID! label: String }
  type User implements Node @key(fields: "id") {
    id: ID!
    label: String @requiresScopes(scopes: [["read", "deep"], ["all"]])
    name: String!
    email: String @signedIn
    code: String! @requiresScopes(scopes: [["codes"]])
    vip: Boolean @policy(policies: [["vip"], ["odd", "even"]])
    friend: User
  }
  type Vault implements Node @signedIn { id: ID! label: String gold: Int }
  union Anything = User | Vault
  scalar Secret @policy(policies: [["vip"]])
  enum Level @signedIn { LOW HIGH }
  interface Part { size: Size weight: Int }
  type Wheel implements Part { size: Size weight: Int }
  type Lock implements Part { size: Size @signedIn weight: Int @signedIn }
  type Size { width: Int height: Int }
`)
const user = { __typename: 'User', id: '1', label: 'l', name: 'n', email: 'e', code: 'c', vip: true }
const vault = { __typename: 'Vault', id: '2', label: 'v', gold: 7 }
const size = { width: 1, height: 2 }
const data = {
  ...{ open: 'o', me: { ...user, friend: user }, users: [user, user], always: user, node: vault, nodes: [user, vault] },
  ...{ anything: [user, vault], secret: 's', level: 'LOW', gone: null },
  ...{ rename: user, replace: user, touch: user, swap: user },
  parts: [
    { __typename: 'Wheel', size, weight: 3 },
    { __typename: 'Lock', size, weight: 4 },
  ],
}
const policies: Policies = {
  vip: ({ sub }) => sub === 'vip',
  odd: ({ sub }) => sub === 'odd' || sub === 'both',
  even: ({ sub }) => sub === 'even' || sub === 'both',
}

export const anonymous: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: '::1' }
export const caller = (sub: string, ...scopes: string[]): Principal => ({ ...anonymous, sub, scopes, anonymous: false })

type Unauthorized = 'null' | 'reject'

/** The things behind a gateway's planner and its access rules. */
export async function openThings(unauthorized: Unauthorized = 'null') {
  /** What the subgraph was asked. */
  const asked: string[] = []
  const audited: AuditEntry[] = []
  const sdl = supergraphOf(typeDefs)
  const schema = buildSubgraphSchema([{ typeDefs }])
  const gateway = new ApolloGateway({
    supergraphSdl: sdl,
    buildService: () => ({
      async process() {
        throw new Error('It only plans.')
      },
    }),
  })
  const { schema: api } = await gateway.load({ apollo: {} })
  const executor = createExecutor({
    schema: api,
    planning: planningOf(gateway),
    async send(_subgraph, { operation }) {
      asked.push(operation)
      const result = await executeSchema({ schema, document: parse(operation), rootValue: data })
      return result as { data: Record<string, unknown> }
    },
  })
  const audit = (entry: AuditEntry) => void audited.push(entry)
  const execute = createAuthorization({ policies, unauthorized, audit })(sdl, api, executor)
  const answer = (principal: Principal, query: string, variables: Record<string, unknown> = {}, name?: string) => {
    const document = parse(query, { noLocation: true })
    assert.deepEqual(validate(api, document), [])
    return run(execute, api, document, query, principal, variables, name)
  }
  return {
    asked,
    audited,
    stop: () => gateway.stop(),
    /** The answer as it is. */
    answer,
    /** The answer with `<code> <path>` for each error. */
    async ask(...request: Parameters<typeof answer>) {
      const { data, errors = [] } = await answer(...request)
      return { data: data && JSON.parse(JSON.stringify(data)), errors: errors.map(brief) }
    },
  }
}

/** Access rules before an executor that answers anything with the same data. Documents are not validated, since that takes long. */
export function guard(typeDefs: string, data: Record<string, unknown> | null, unauthorized: Unauthorized = 'null') {
  const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated"])'
  const sdl = supergraphOf(parse(`${link} ${typeDefs}`))
  const api = Supergraph.build(sdl).apiSchema().toGraphQLJSSchema()
  const execute = createAuthorization({ policies, unauthorized, audit: () => {} })(sdl, api, async () => ({ data }))
  return (document: DocumentNode) => run(execute, api, document, '', anonymous)
}

function supergraphOf(typeDefs: DocumentNode): string {
  const { supergraphSdl = '', errors } = composeServices([{ name: 'things', url: 'http://things', typeDefs }])
  assert.equal(errors, undefined)
  return withoutSecurity(supergraphSdl, 'test')
}

function run(
  execute: Executor,
  api: GraphQLSchema,
  document: DocumentNode,
  hash: string,
  principal: Principal,
  variables: Record<string, unknown> = {},
  name?: string,
): Promise<Executed> {
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION)
  const operation = operations.find((node) => name === undefined || node.name?.value === name)
  assert.ok(operation)
  const { coerced } = getVariableValues(api, operation.variableDefinitions ?? [], variables)
  assert.ok(coerced)
  const context = { principal, requestId: 'r', traceparent: '', deadline: Number.POSITIVE_INFINITY }
  return execute({ document, hash, characters: 0, operation, variables, coerced, context })
}

function brief({ path, extensions }: GraphQLError): string {
  return `${extensions?.code} ${path?.join('.')}`
}
