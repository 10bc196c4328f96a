import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Principal } from '#platform/principal.ts'
import { anonymous, caller, openThings } from './things.ts'

let things: Awaited<ReturnType<typeof openThings>>
before(async () => {
  things = await openThings()
})
after(() => things.stop())
beforeEach(() => {
  things.asked.length = 0
  things.audited.length = 0
})

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
      assert.deepEqual(await things.ask(principal, query), { data, errors })
      const refused = new RegExp(
        `\\b${what.includes('alias') ? 'email' : errors[0]?.split('.').at(-1)?.split(' ').at(-1)}\\b`,
      )
      for (const sent of things.asked) assert.doesNotMatch(sent, refused, 'no subgraph is asked for it')
      assert.equal(things.audited.length, 1)
      assert.equal(things.audited[0]?.action, 'access.refused')
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
      assert.deepEqual(await things.ask(principal, query), { data, errors: [] })
      assert.equal(things.audited.length, 0)
    })
  }
})

test('names that objects have a meaning for are names like any other', async () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'authorization__typename']) {
    assert.deepEqual(await things.ask(anonymous, `{ me { id ${name}: email } }`), {
      data: { me: { id: '1', [name]: null } },
      errors: [`UNAUTHENTICATED me.${name}`],
    })
    assert.deepEqual((await things.ask(anonymous, `{ me { ${name}: id email } }`)).data, {
      me: { [name]: '1', email: null },
    })
  }
  const union = '{ anything { authorization__typename: __typename ... on User { id email } } }'
  assert.deepEqual((await things.ask(anonymous, union)).data.anything, [
    { authorization__typename: 'User', id: '1', email: null },
    { authorization__typename: 'Vault' },
  ])
  const { data } = await things.ask(anonymous, '{ me { id __proto__: email } ok: open }')
  assert.deepEqual([data.me.id, data.ok], ['1', 'o'])
  assert.doesNotMatch(things.asked.join(), /email/)
})

test('of several operations only the one that is run counts', async () => {
  const query = 'query Open { open } query Closed { me { email } }'
  const run = async (operationName: string) => {
    const { data } = await things.ask(anonymous, query, {}, operationName)
    return JSON.parse(JSON.stringify(data))
  }
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await run('Open'), { open: 'o' })
    assert.deepEqual(await run('Closed'), { me: { email: null } })
  }
  assert.doesNotMatch(things.asked.join(), /email/)
})

test('a condition decides whether a refused field is asked for, never whether it is seen', async () => {
  const query = 'query ($on: Boolean = true) { me { id email @include(if: $on) ... @skip(if: $on) { e: email } } }'
  const withIt = { data: { me: { id: '1', email: null } }, errors: ['UNAUTHENTICATED me.email'] }
  assert.deepEqual(await things.ask(anonymous, query), withIt)
  assert.deepEqual(await things.ask(anonymous, query, { on: true }), withIt)
  assert.deepEqual(await things.ask(anonymous, query, { on: false }), {
    data: { me: { id: '1', e: null } },
    errors: ['UNAUTHENTICATED me.e'],
  })
  assert.doesNotMatch(things.asked.join(), /email/)
})

test('one operation has one plan for each set of refused fields, not one for all callers', async () => {
  const query = '{ me { id email label } }'
  const see = async (principal: Principal) => (await things.ask(principal, query)).data.me
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await see(anonymous), { id: '1', email: null, label: null })
    assert.deepEqual(await see(caller('u', 'all')), { id: '1', email: 'e', label: 'l' })
    assert.deepEqual(await see(caller('u')), { id: '1', email: 'e', label: null })
  }
})
