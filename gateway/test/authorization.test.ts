import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { ApolloGateway } from '@apollo/gateway'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { execute as executeSchema, type GraphQLError, getVariableValues, Kind, parse, validate } from 'graphql'
import type { AuditEntry } from '#platform/audit.ts'
import type { Principal } from '#platform/principal.ts'
import type { Policies } from '../authorization/rules.ts'
import { createAuthorization } from '../authorization.ts'
import { executorOf } from '../executor.ts'
import { withoutSecurity } from '../supergraph.ts'

const typeDefs = parse(`
  extend schema @link(
    url: "https://specs.apollo.dev/federation/v2.9"
    import: ["@key", { name: "@authenticated", as: "@signedIn" }, "@requiresScopes", "@policy"]
  )
  type Query {
    open: String
    me: User
    users: [User!]
    strict: User
    node(id: ID): Node
    nodes: [Node]
    anything: [Anything]
    secret: Secret
    level: Level
    gone: User
  }
  type Mutation { rename: User @requiresScopes(scopes: [["write"]]) touch: User }
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
`)
const user = { __typename: 'User', id: '1', label: 'l', name: 'n', email: 'e', code: 'c', vip: true }
const vault = { __typename: 'Vault', id: '2', label: 'v', gold: 7 }
const data = {
  ...{ open: 'o', me: { ...user, friend: user }, users: [user, user], strict: user, node: vault, nodes: [user, vault] },
  ...{ anything: [user, vault], secret: 's', level: 'LOW', gone: null, rename: user, touch: user },
}
const policies: Policies = {
  vip: ({ sub }) => sub === 'vip',
  odd: ({ sub }) => sub === 'odd' || sub === 'both',
  even: ({ sub }) => sub === 'even' || sub === 'both',
}
const anonymous: Principal = { sub: null, sid: null, scopes: [], anonymous: true, address: '::1' }
const caller = (sub: string, ...scopes: string[]): Principal => ({ ...anonymous, sub, scopes, anonymous: false })

/** What the subgraph was asked. */
const asked: string[] = []
const audited: AuditEntry[] = []
const audit = (entry: AuditEntry) => void audited.push(entry)

async function serverOf(unauthorized: 'null' | 'reject') {
  const { supergraphSdl = '', errors } = composeServices([{ name: 'things', url: 'http://things', typeDefs }])
  assert.equal(errors, undefined)
  const sdl = withoutSecurity(supergraphSdl, 'test')
  const schema = buildSubgraphSchema([{ typeDefs }])
  const gateway = new ApolloGateway({
    supergraphSdl: sdl,
    buildService: () => ({
      async process({ request }) {
        asked.push(request.query ?? '')
        const result = await executeSchema({ schema, document: parse(request.query ?? ''), rootValue: data })
        return result as { data: Record<string, unknown> }
      },
    }),
  })
  const authorize = createAuthorization({ policies, unauthorized, audit })
  const { schema: api, executor } = await gateway.load({ apollo: {} })
  const execute = authorize(sdl, api, executorOf(executor))
  return {
    stop: () => gateway.stop(),
    async ask(principal: Principal, query: string, variables: Record<string, unknown> = {}, operationName?: string) {
      const document = parse(query, { noLocation: true })
      assert.deepEqual(validate(api, document), [])
      const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION)
      const operation = operations.find(({ name }) => operationName === undefined || name?.value === operationName)
      assert.ok(operation)
      const { coerced } = getVariableValues(api, operation.variableDefinitions ?? [], variables)
      assert.ok(coerced)
      const context = { principal, requestId: 'r', traceparent: '', deadline: Number.POSITIVE_INFINITY }
      return execute({ document, hash: query, operation, variables, coerced, context })
    },
  }
}

let server: Awaited<ReturnType<typeof serverOf>>
let rejecting: Awaited<ReturnType<typeof serverOf>>
before(async () => {
  server = await serverOf('null')
  rejecting = await serverOf('reject')
})
after(async () => {
  await server.stop()
  await rejecting.stop()
})
beforeEach(() => {
  asked.length = 0
  audited.length = 0
})

async function ask(principal: Principal, query: string, variables: Record<string, unknown> = {}, on = server) {
  const { data, errors = [] } = await on.ask(principal, query, variables)
  return { data: data && JSON.parse(JSON.stringify(data)), errors: errors.map(brief) }
}

function brief({ path, extensions }: GraphQLError): string {
  return `${extensions?.code} ${path?.join('.')}`
}

describe('a caller without what a field asks for gets null, with an error at its path', () => {
  const stranger = caller('u')
  const cases: Record<string, [Principal, query: string, data: unknown, errors: string[]]> = {
    '@authenticated, under another name': [
      anonymous,
      '{ me { id email } }',
      { me: { id: '1', email: null } },
      ['UNAUTHENTICATED me.email'],
    ],
    '@requiresScopes': [stranger, '{ me { id label } }', { me: { id: '1', label: null } }, ['FORBIDDEN me.label']],
    'one of two scopes': [
      caller('u', 'read'),
      '{ me { id label } }',
      { me: { id: '1', label: null } },
      ['FORBIDDEN me.label'],
    ],
    '@policy': [stranger, '{ me { id vip } }', { me: { id: '1', vip: null } }, ['FORBIDDEN me.vip']],
    'one of two policies': [caller('odd'), '{ me { id vip } }', { me: { id: '1', vip: null } }, ['FORBIDDEN me.vip']],
    'a scalar': [stranger, '{ open secret }', { open: 'o', secret: null }, ['FORBIDDEN secret']],
    'an enum': [anonymous, '{ open level }', { open: 'o', level: null }, ['UNAUTHENTICATED level']],
    'an alias': [
      anonymous,
      '{ me { id: email real: id } }',
      { me: { id: null, real: '1' } },
      ['UNAUTHENTICATED me.id'],
    ],
    'an inline fragment': [
      anonymous,
      '{ me { id ... { email } ... on User { e: email } } }',
      { me: { id: '1', email: null, e: null } },
      ['UNAUTHENTICATED me.email', 'UNAUTHENTICATED me.e'],
    ],
    'a named fragment': [
      anonymous,
      '{ me { id ...F } } fragment F on User { email }',
      { me: { id: '1', email: null } },
      ['UNAUTHENTICATED me.email'],
    ],
    'a fragment in a fragment': [
      anonymous,
      '{ me { id ...F } } fragment F on Node { ...G } fragment G on User { email }',
      { me: { id: '1', email: null } },
      ['UNAUTHENTICATED me.email'],
    ],
    'a fragment on an interface': [
      anonymous,
      '{ me { id ... on Node { label } } }',
      { me: { id: '1', label: null } },
      ['UNAUTHENTICATED me.label'],
    ],
    'each element of a list': [
      anonymous,
      '{ users { id email } }',
      {
        users: [
          { id: '1', email: null },
          { id: '1', email: null },
        ],
      },
      ['UNAUTHENTICATED users.0.email', 'UNAUTHENTICATED users.1.email'],
    ],
    'an interface, of which one type is protected': [
      anonymous,
      '{ open node { id } }',
      { open: 'o', node: null },
      ['UNAUTHENTICATED node'],
    ],
    'a field of an interface that one type protects': [
      stranger,
      '{ node { id label } }',
      { node: { id: '2', label: null } },
      ['FORBIDDEN node.label'],
    ],
    'a type of an interface': [
      stranger,
      '{ nodes { id ... on User { label } ... on Vault { gold } } }',
      {
        nodes: [
          { id: '1', label: null },
          { id: '2', gold: 7 },
        ],
      },
      ['FORBIDDEN nodes.0.label'],
    ],
    'a protected type of a union': [
      anonymous,
      '{ anything { ... on User { id } ... on Vault { gold __typename } } }',
      { anything: [{ id: '1' }, null] },
      ['UNAUTHENTICATED anything.1.gold', 'UNAUTHENTICATED anything.1.__typename'],
    ],
    'a non-null field takes its parent along': [
      stranger,
      '{ open me { id code } }',
      { open: 'o', me: null },
      ['FORBIDDEN me.code'],
    ],
    'a non-null field takes the list along': [
      stranger,
      '{ open users { id code } }',
      { open: 'o', users: null },
      ['FORBIDDEN users.0.code', 'FORBIDDEN users.1.code'],
    ],
    'a mutation': [
      stranger,
      'mutation { rename { id } touch { id } }',
      { rename: null, touch: { id: '1' } },
      ['FORBIDDEN rename'],
    ],
    'below what is null': [anonymous, '{ gone { id email } }', { gone: null }, ['UNAUTHENTICATED gone.email']],
    'nothing but the refused field of an object': [
      anonymous,
      '{ open me { friend { email } } }',
      { open: 'o', me: { friend: { email: null } } },
      ['UNAUTHENTICATED me.friend.email'],
    ],
  }
  for (const [what, [principal, query, data, errors]] of Object.entries(cases)) {
    test(what, async () => {
      assert.deepEqual(await ask(principal, query), { data, errors })
      const refused = new RegExp(
        `\\b${what.includes('alias') ? 'email' : errors[0]?.split('.').at(-1)?.split(' ').at(-1)}\\b`,
      )
      for (const sent of asked) assert.doesNotMatch(sent, refused, 'no subgraph is asked for it')
      assert.equal(audited.length, 1)
      assert.equal(audited[0]?.action, 'access.refused')
    })
  }
})

describe('a caller with what a field asks for sees it', () => {
  const cases: Record<string, [Principal, query: string, data: unknown]> = {
    authenticated: [caller('u'), '{ me { email } level }', { me: { email: 'e' }, level: 'LOW' }],
    'all scopes of one set': [caller('u', 'deep', 'read'), '{ me { label } }', { me: { label: 'l' } }],
    'the scope of the other set': [caller('u', 'all'), '{ me { label } }', { me: { label: 'l' } }],
    'one policy': [caller('vip'), '{ me { vip } secret }', { me: { vip: true }, secret: 's' }],
    'all policies of a set': [caller('both'), '{ me { vip } }', { me: { vip: true } }],
    'a protected type': [caller('u'), '{ node { id ... on Vault { gold } } }', { node: { id: '2', gold: 7 } }],
    'what nobody protects': [anonymous, '{ open me { id name } }', { open: 'o', me: { id: '1', name: 'n' } }],
  }
  for (const [what, [principal, query, data]] of Object.entries(cases)) {
    test(what, async () => {
      assert.deepEqual(await ask(principal, query), { data, errors: [] })
      assert.equal(audited.length, 0)
    })
  }
})

test('names that objects have a meaning for are names like any other', async () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'authorization__typename']) {
    assert.deepEqual(await ask(anonymous, `{ me { id ${name}: email } }`), {
      data: { me: { id: '1', [name]: null } },
      errors: [`UNAUTHENTICATED me.${name}`],
    })
    assert.deepEqual((await ask(anonymous, `{ me { ${name}: id email } }`)).data, { me: { [name]: '1', email: null } })
  }
  const { data } = await ask(anonymous, '{ me { id __proto__: email } ok: open }')
  assert.deepEqual([data.me.id, data.ok], ['1', 'o'])
  assert.doesNotMatch(asked.join(), /email/)
})

test('of several operations only the one that is run counts', async () => {
  const query = 'query Open { open } query Closed { me { email } }'
  const run = async (operationName: string) => {
    const { data } = await server.ask(anonymous, query, {}, operationName)
    return JSON.parse(JSON.stringify(data))
  }
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await run('Open'), { open: 'o' })
    assert.deepEqual(await run('Closed'), { me: null })
  }
  assert.doesNotMatch(asked.join(), /email/)
})

test('when everything is refused no subgraph is called', async () => {
  assert.deepEqual(await ask(anonymous, '{ level me { email friend { email } } }'), {
    data: { level: null, me: null },
    errors: ['UNAUTHENTICATED level', 'UNAUTHENTICATED me.email', 'UNAUTHENTICATED me.friend.email'],
  })
  await ask(caller('u'), 'mutation { rename { id } }')
  assert.deepEqual(asked, [])
})

test('a condition decides whether a refused field is asked for, never whether it is seen', async () => {
  const query = 'query ($on: Boolean = true) { me { id email @include(if: $on) ... @skip(if: $on) { e: email } } }'
  const withIt = { data: { me: { id: '1', email: null } }, errors: ['UNAUTHENTICATED me.email'] }
  assert.deepEqual(await ask(anonymous, query), withIt)
  assert.deepEqual(await ask(anonymous, query, { on: true }), withIt)
  assert.deepEqual(await ask(anonymous, query, { on: false }), {
    data: { me: { id: '1', e: null } },
    errors: ['UNAUTHENTICATED me.e'],
  })
  assert.doesNotMatch(asked.join(), /email/)
})

test('one operation has one plan for each set of refused fields, not one for all callers', async () => {
  const query = '{ me { id email label } }'
  const see = async (principal: Principal) => (await ask(principal, query)).data.me
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await see(anonymous), { id: '1', email: null, label: null })
    assert.deepEqual(await see(caller('u', 'all')), { id: '1', email: 'e', label: 'l' })
    assert.deepEqual(await see(caller('u')), { id: '1', email: 'e', label: null })
  }
})

test('a setting refuses the whole operation instead', async () => {
  assert.deepEqual(await ask(anonymous, '{ open me { email } }', {}, rejecting), {
    data: undefined,
    errors: ['UNAUTHENTICATED me.email'],
  })
  assert.deepEqual(asked, [])
  assert.deepEqual((await ask(anonymous, '{ open }', {}, rejecting)).data, { open: 'o' })
})

test('operations that are written to be large cost little', async () => {
  const levels = Array.from(
    { length: 30 },
    (_, n) => `fragment F${n} on User { a: friend { ...F${n + 1} } b: friend { ...F${n + 1} } }`,
  )
  const query = `{ open gone { ...F0 } } ${levels.join(' ')} fragment F30 on User { email }`
  const started = performance.now()
  const document = parse(query)
  assert.ok(document)
  const { errors } = await completeLarge(query)
  assert.ok(errors <= 100)
  assert.ok(performance.now() - started < 2_000)
})

async function completeLarge(query: string): Promise<{ errors: number }> {
  const authorize = createAuthorization({ policies, unauthorized: 'reject', audit })
  const { supergraphSdl = '' } = composeServices([{ name: 'things', url: 'http://things', typeDefs }])
  const schema = buildSubgraphSchema([{ typeDefs }])
  const executor = authorize(withoutSecurity(supergraphSdl, 'test'), schema, async () => ({ data: {} }))
  const document = parse(query)
  const operation = document.definitions[0]
  const { errors = [] } = await executor({
    document,
    operation,
    queryHash: query,
    request: {},
    context: { principal: anonymous },
  } as unknown as Parameters<typeof executor>[0])
  return { errors: errors.length }
}

test('a policy that nobody defines stops the start', () => {
  const authorize = createAuthorization({ policies: {}, unauthorized: 'null', audit })
  const { supergraphSdl = '' } = composeServices([{ name: 'things', url: 'http://things', typeDefs }])
  const schema = buildSubgraphSchema([{ typeDefs }])
  assert.throws(
    () => authorize(supergraphSdl, schema, async () => ({})),
    /policies that nobody defines: vip, odd, even/,
  )
})
