import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { anonymous, caller, openThings } from './things.ts'

let things: Awaited<ReturnType<typeof openThings>>
let rejecting: Awaited<ReturnType<typeof openThings>>
before(async () => {
  things = await openThings()
  rejecting = await openThings('reject')
})
after(async () => {
  await things.stop()
  await rejecting.stop()
})
beforeEach(() => {
  things.asked.length = 0
  rejecting.asked.length = 0
})
const stranger = caller('u')

describe('a refused field that may not be null', () => {
  test('takes its parent along', async () => {
    assert.deepEqual(await things.ask(stranger, '{ open me { id code } }'), {
      data: { open: 'o', me: null },
      errors: ['FORBIDDEN me.code'],
    })
  })

  test('takes the list along', async () => {
    assert.deepEqual(await things.ask(stranger, '{ open users { id code } }'), {
      data: { open: 'o', users: null },
      errors: ['FORBIDDEN users.0.code', 'FORBIDDEN users.1.code'],
    })
  })

  test('takes all along when nothing above it may be null, and nothing is fetched', async () => {
    assert.deepEqual(await things.ask(stranger, '{ open always { id code } }'), {
      data: null,
      errors: ['FORBIDDEN always.code'],
    })
    assert.deepEqual(things.asked, [])
  })

  test('as a mutation lets no other mutation run, whose answer would be lost', async () => {
    for (const mutation of ['touch { id } replace { id }', 'replace { id } touch { id }']) {
      assert.deepEqual(await things.ask(stranger, `mutation { ${mutation} }`), {
        data: null,
        errors: ['FORBIDDEN replace'],
      })
    }
    const below = await things.ask(stranger, 'mutation { touch { id } swap { friend { id } code } }')
    assert.deepEqual(below, { data: null, errors: ['FORBIDDEN swap.code'] })
    assert.deepEqual(things.asked, [])
    const excluded = await things.ask(stranger, 'mutation { touch { id } replace @skip(if: true) { id } }')
    assert.deepEqual(excluded, { data: { touch: { id: '1' } }, errors: [] })
  })
})

describe('a field that is not refused itself is resolved, also when all that is asked below it is refused', () => {
  test('as an object', async () => {
    assert.deepEqual(await things.ask(anonymous, '{ me { email } }'), {
      data: { me: { email: null } },
      errors: ['UNAUTHENTICATED me.email'],
    })
  })

  test('as a list', async () => {
    assert.deepEqual(await things.ask(anonymous, '{ users { email } }'), {
      data: { users: [{ email: null }, { email: null }] },
      errors: ['UNAUTHENTICATED users.0.email', 'UNAUTHENTICATED users.1.email'],
    })
  })

  test('where it may not be null', async () => {
    assert.deepEqual(await things.ask(anonymous, '{ always { email } }'), {
      data: { always: { email: null } },
      errors: ['UNAUTHENTICATED always.email'],
    })
  })

  test('as a mutation, which runs', async () => {
    assert.deepEqual(await things.ask(anonymous, 'mutation { touch { email } swap { email label } }'), {
      data: { touch: { email: null }, swap: { email: null, label: null } },
      errors: ['UNAUTHENTICATED touch.email', 'UNAUTHENTICATED swap.email', 'UNAUTHENTICATED swap.label'],
    })
    assert.match(things.asked.join(), /mutation[\s\S]*touch[\s\S]*swap/)
  })
})

test('when every field at the root is refused no subgraph is called', async () => {
  assert.deepEqual(await things.ask(anonymous, '{ level secret ... { node { id } } }'), {
    data: { level: null, secret: null, node: null },
    errors: ['UNAUTHENTICATED level', 'UNAUTHENTICATED secret', 'UNAUTHENTICATED node'],
  })
  assert.deepEqual((await things.ask(stranger, 'mutation { rename { id } }')).data, { rename: null })
  assert.deepEqual(things.asked, [])
})

describe('a field that is refused in one of the places where it is asked for under one name', () => {
  test('is answered when it is a value', async () => {
    const query = '{ parts { ... on Wheel { weight } ... on Part { weight } } }'
    assert.deepEqual(await things.ask(anonymous, query), {
      data: { parts: [{ weight: 3 }, { weight: null }] },
      errors: ['UNAUTHENTICATED parts.1.weight'],
    })
  })

  test('is refused when it is an object, of which a part would be missing', async () => {
    for (const query of [
      '{ parts { ... on Wheel { size { width } } ... on Part { size { height } } } }',
      '{ parts { ... on Part { size { height } } ... on Wheel { size { width } } } }',
    ]) {
      assert.deepEqual(await things.ask(anonymous, query), {
        data: { parts: [{ size: null }, { size: null }] },
        errors: ['UNAUTHENTICATED parts.0.size', 'UNAUTHENTICATED parts.1.size'],
      })
    }
    const apart = await things.ask(
      anonymous,
      '{ parts { ... on Wheel { size { width } } ... on Part { s: size { width } } } }',
    )
    assert.deepEqual(apart.data.parts, [{ size: { width: 1 }, s: null }, { s: null }])
  })
})

test('an answer without errors has none, whatever was taken out', async () => {
  assert.equal('errors' in (await things.answer(anonymous, '{ open level @include(if: false) }')), false)
})

describe('when a setting refuses operations as a whole', () => {
  test('one with a refused field is', async () => {
    const { data, errors, status } = await rejecting.answer(anonymous, '{ open me { email } }')
    assert.deepEqual([data, status, errors?.length, errors?.[0]?.path], [undefined, 401, 1, ['me', 'email']])
    assert.equal((await rejecting.answer(stranger, '{ secret }')).status, 403)
    assert.deepEqual(rejecting.asked, [])
  })

  test('one without is executed, also when conditions exclude what is refused', async () => {
    assert.deepEqual((await rejecting.ask(anonymous, '{ open }')).data, { open: 'o' })
    const query = 'query ($on: Boolean!) { open level @include(if: $on) me @skip(if: true) { email } }'
    const { status, errors, data } = await rejecting.answer(anonymous, query, { on: false })
    assert.deepEqual([status, errors, { ...data }], [undefined, undefined, { open: 'o' }])
    assert.equal((await rejecting.answer(anonymous, query, { on: true })).status, 401)
  })
})
