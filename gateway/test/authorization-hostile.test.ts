import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'graphql'
import { guard } from './things.ts'

/** Milliseconds that the access rules may take for a document of `size` characters, the most that a body holds. */
const mostTime = 400
const size = 250_000

const types = Array.from({ length: 30 }, (_, n) => `Link${n}`)
const execute = (data: Record<string, unknown> | null, unauthorized: 'null' | 'reject' = 'null') =>
  guard(
    `type Query { open: Int gone: User me: User users: [User!] link: Link chain: [[Chain!]!]! }
    type User { id: ID! name: String email: String @authenticated friend: User friends: [User!]! orders: [User] @authenticated }
    type Chain { next: [[Chain!]!]! secret: Int @authenticated }
    interface Link { next: Link name: String }
    ${types.map((name) => `type ${name} implements Link { next: Link name: String secret: Int @authenticated }`).join(' ')}`,
    data,
    unauthorized,
  )

/** As much of `part`, with a number of its own in each, as makes a document of the size that is allowed. */
function many(part: (n: number) => string, room = size): string {
  const parts: string[] = []
  for (let length = 0; length < room; length += parts.at(-1)?.length ?? 0) parts.push(part(parts.length))
  return parts.join('')
}

const doubling = Array.from(
  { length: 30 },
  (_, n) => `fragment F${n} on User { a: friend { ...F${n + 1} } b: friend { ...F${n + 1} } }`,
)
const hidden = types.map((name) => `... on ${name} { secret @skip(if: true) }`).join(' ')
const typesBehindTypes = `{ open link { ${'next { '.repeat(20)} ${hidden} ${'} '.repeat(20)} } }`
const skipped = (n: number) => `a${n}: name @skip(if: true) `

describe('a document that is written to be large costs little, with every limit off', () => {
  const cases: Record<string, [query: string, data: Record<string, unknown> | null]> = {
    'refused fields of an object that is asked for over and over': [
      `{ gone { ${many((n) => `b${n}: friend { ...F } `, size / 2)} } }
       fragment F on User { ${many((n) => `a${n}: orders { id } `, size / 2)} }`,
      { gone: null },
    ],
    'other fields of an object that is asked for over and over': [
      `{ gone { ${many((n) => `b${n}: friend { ...F } `, 2_000)} } }
       fragment F on User { email @skip(if: true) ${many(skipped)} }`,
      { gone: null },
    ],
    'one object over and over': [
      `{ me { ${many(() => 'friend { name email } ', 40_000)} } }`,
      { me: { friend: null } },
    ],
    'one name over and over': [`{ me { email ${many(() => 'id ')} } }`, { me: { id: '1' } }],
    'fragments that each double the next': [
      `{ gone { ...F0 } } ${doubling.join(' ')} fragment F30 on User { email }`,
      { gone: null },
    ],
    'a long selection on a list, with conditions': [
      `{ users { email ${many(skipped)} } }`,
      { users: Array.from({ length: 1_000 }, () => ({})) },
    ],
    'a long selection on a list, all of it refused': [
      `{ users { ${many((n) => `a${n}: email `)} } }`,
      { users: Array.from({ length: 1_000 }, () => ({})) },
    ],
    'a long selection on lists in a list': [
      `{ users { ${many((n) => `b${n}: friends { ...F } `, 1_000)} } } fragment F on User { email ${many(skipped, 20_000)} }`,
      { users: Array.from({ length: 100 }, () => ({ b0: Array.from({ length: 50 }, () => ({})), b1: [] })) },
    ],
    'types behind types': [typesBehindTypes, { link: null }],
  }
  for (const [what, [query, data]] of Object.entries(cases)) {
    for (const unauthorized of ['null', 'reject'] as const) {
      test(`${what} (${unauthorized})`, async () => {
        const run = execute(data, unauthorized)
        await run(parse('{ open gone { email name @skip(if: true) } }', { noLocation: true }))
        const times: number[] = []
        for (let round = 0; round < 5; round++) {
          // Nothing is known of a document that was just parsed.
          const document = parse(query, { noLocation: true })
          const started = performance.now()
          const { code, errors = [] } = await run(document).then(
            ({ errors }) => ({ code: undefined, errors }),
            ({ code }) => ({ code, errors: [] }),
          )
          times.push(performance.now() - started)
          assert.ok(code === undefined || code === 'OPERATION_TOO_COMPLEX', code)
          assert.ok(errors.length <= 100)
        }
        const time = Math.min(...times)
        assert.ok(time < mostTime, `${time} ms`)
      })
    }
  }
})

test('where the search for refused fields ends before one is found, there is an error all the same', async () => {
  for (const unauthorized of ['null', 'reject'] as const) {
    const { errors = [] } = await execute({ open: 1, link: null }, unauthorized)(parse(typesBehindTypes))
    assert.deepEqual(
      errors.map(({ path, extensions }) => [path, extensions.code]),
      [[undefined, 'UNAUTHENTICATED']],
    )
  }
})

describe('an operation that is nested deep', () => {
  const nested = (levels: number) => parse(`{ chain { ${'next { '.repeat(levels)} secret ${'} '.repeat(levels)} } }`)
  const chain = (levels: number): unknown => [[levels === 0 ? {} : { next: chain(levels - 1) }]]

  test('is answered as deep as the stack is known to hold', async () => {
    const { errors = [], data } = await execute({ chain: chain(490) })(nested(490))
    assert.equal(errors[0]?.path?.length, 491 * 3 + 1)
    assert.ok(data)
  })

  test('is OPERATION_TOO_COMPLEX when deeper, before it is executed', async () => {
    const fragments = Array.from({ length: 1_000 }, (_, n) => `fragment F${n} on Chain { next { ...F${n + 1} } }`)
    const spread = `{ chain { ...F0 } } ${fragments.join(' ')} fragment F1000 on Chain { secret }`
    const levels = (inner: string) => `${'next { '.repeat(300)} ${inner} ${'} '.repeat(300)}`
    const again = `{ chain { ...F } deep: chain { ${levels('...F')} } } fragment F on Chain { ${levels('secret')} }`
    for (const document of [nested(600), parse(spread), parse(again)]) {
      await assert.rejects(execute({ chain: [] })(document), { code: 'OPERATION_TOO_COMPLEX' })
    }
  })
})

test('an alias that filtered selections would use themselves is answered as any other', async () => {
  const link = { open: 1, link: { authorization__typename: 'x', authorization__typename_: 'Link1' } }
  const aliases = 'authorization__typename: name'
  const { data, errors = [] } = await execute(link)(parse(`{ link { ${aliases} ... on Link1 { secret } } }`))
  assert.deepEqual(JSON.parse(JSON.stringify(data)), { link: { authorization__typename: 'x', secret: null } })
  assert.deepEqual(
    errors.map(({ path }) => path),
    [['link', 'secret']],
  )
})
