import { METHODS } from 'node:http'
import fc from 'fast-check'

/** A request as it is put on the wire. */
export type Generated = { method: string; path: string; headers: Record<string, string>; body: Uint8Array | undefined }

const names = [
  'me',
  'users',
  'fails',
  'rename',
  'id',
  'name',
  'age',
  'tags',
  'friends',
  '__typename',
  '__schema',
  'nothing',
  '__proto__',
]
const types = ['Query', 'User', 'Mutation', 'Filter', 'Int', '[Int!]!', 'Boolean!', 'Nope', 'ID']
const name = fc.constantFrom(...names)
const word = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 1, arbitrary: fc.stringMatching(/^[_A-Za-z][_0-9A-Za-z]{0,12}$/) },
)

const value = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(
      '1',
      '-1',
      '1.5',
      '1e400',
      '9007199254740993',
      'true',
      'null',
      'NEW',
      '$a',
      '$b',
      '""',
      '"""x"""',
      '"\\u0000"',
    ),
    fc.string().map((text) => JSON.stringify(text)),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(' ')}]`),
    fc
      .array(fc.tuple(word, tie('value')), { maxLength: 3 })
      .map((fields) => `{${fields.map(([key, of]) => `${key}: ${of}`).join(' ')}}`),
  ),
})).value

const args = fc
  .array(fc.tuple(fc.constantFrom('first', 'filter', 'kind', 'id', 'name', 'if', 'x'), value), { maxLength: 2 })
  .map((all) => (all.length === 0 ? '' : `(${all.map(([key, of]) => `${key}: ${of}`).join(' ')})`))
const directives = fc
  .array(fc.constantFrom('@skip(if: $a)', '@include(if: true)', '@include', '@nope', '@skip(if: 1)'), { maxLength: 2 })
  .map((all) => all.join(' '))

const selections = fc.letrec<{ set: string; selection: string }>((tie) => ({
  set: fc.array(tie('selection'), { minLength: 1, maxLength: 4 }).map((all) => `{ ${all.join(' ')} }`),
  selection: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    name,
    fc.tuple(word, name, args, directives).map(([alias, field, of, on]) => `${alias}: ${field}${of} ${on}`),
    fc.tuple(name, args, directives, tie('set')).map((parts) => parts.join(' ')),
    fc
      .tuple(fc.constantFrom('...', '... on User', '... on Query', '... on Nope'), directives, tie('set'))
      .map((parts) => parts.join(' ')),
    fc.constantFrom('...A', '...B', '...C @skip(if: $a)'),
  ),
})).set

/** A document that is GraphQL, and often of the graph. */
const document = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.constantFrom('', 'query', 'mutation M', 'subscription', 'query Q($a: Boolean, $b: [Int!])'),
        directives,
        selections,
      ),
      { minLength: 1, maxLength: 2 },
    ),
    fc.array(fc.tuple(fc.constantFrom('A', 'B', 'C', 'on'), fc.constantFrom(...types), selections), { maxLength: 3 }),
  )
  .map(([operations, fragments]) =>
    [
      ...operations.map(([head, on, set]) => `${head} ${head === '' ? '' : on} ${set}`),
      ...fragments.map(([fragment, type, set]) => `fragment ${fragment} on ${type} ${set}`),
    ].join('\n'),
  )
/** Documents of the graph, most of which are valid. */
const sound = fc
  .letrec<{ user: string; field: string }>((tie) => ({
    user: fc.array(tie('field'), { minLength: 1, maxLength: 4 }).map((fields) => `{ ${fields.join(' ')} }`),
    field: fc.oneof(
      { maxDepth: 5, depthSize: 'medium' },
      fc.constantFrom('id', 'name', 'age', 'tags', '__typename', 'a: name', 'b: age @skip(if: $a)', '...F'),
      tie('user').map((set) => `friends ${set}`),
      tie('user').map((set) => `... on User @include(if: true) ${set}`),
    ),
  }))
  .user.chain((set) =>
    fc.constantFrom(
      `query Q($a: Boolean = false) { me ${set} z: __typename @skip(if: $a) }`,
      `query Q($a: Boolean! = true) { users(first: 3, kind: NEW) ${set} fails z: __typename @skip(if: $a) }`,
      `query Q($a: Boolean = true, $f: Filter) { users(filter: $f) ${set} z: __typename @skip(if: $a) }`,
      `mutation M($a: Boolean = false) { rename(id: 1, name: "x") ${set} z: __typename @skip(if: $a) }`,
    ),
  )
  .map((operation) =>
    operation.includes('...F') ? `${operation} fragment F on User { id friends { name } }` : operation,
  )
const text = fc.oneof(
  { weight: 3, arbitrary: document },
  { weight: 6, arbitrary: sound },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(sound, fc.nat(60), fc.string({ maxLength: 4 }))
      .map(([of, at, put]) => of.slice(0, at) + put + of.slice(at + 1)),
  },
)

const anything = fc.jsonValue({ maxDepth: 3 })
const hash = fc.constantFrom('0'.repeat(64), 'x', '', 'sha256:')
const broken = fc.record(
  {
    query: fc.oneof({ weight: 8, arbitrary: text }, { weight: 1, arbitrary: anything }),
    variables: fc.oneof(fc.constantFrom(null, {}, { a: true, b: [1] }), anything),
    operationName: fc.oneof(fc.constantFrom(null, 'Q', 'M', ''), anything),
    extensions: fc.oneof(
      fc.constantFrom(null, {}),
      anything,
      hash.map((sha256Hash) => ({ persistedQuery: { version: 1, sha256Hash } })),
    ),
    documentId: fc.oneof(hash, anything),
    id: anything,
  },
  { requiredKeys: [] },
)
const params: fc.Arbitrary<object> = fc.oneof(
  { weight: 1, arbitrary: broken },
  {
    weight: 2,
    arbitrary: fc.record({
      query: text,
      variables: fc.constantFrom(
        {},
        { a: true },
        { a: false },
        { a: 1 },
        { f: { name: 'x', not: { ages: [1] } } },
        { f: { x: 1 } },
      ),
    }),
  },
)
const bytesOf = (of: string) => new TextEncoder().encode(of)
const body = fc.oneof(
  { weight: 6, arbitrary: params.map((of) => JSON.stringify(of)).map(bytesOf) },
  { weight: 1, arbitrary: fc.array(params, { maxLength: 12 }).map((of) => bytesOf(JSON.stringify(of))) },
  { weight: 1, arbitrary: anything.map((of) => bytesOf(JSON.stringify(of))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  // A body of which some bytes are others.
  {
    weight: 2,
    arbitrary: fc
      .tuple(params, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([of, changes]) => {
        const bytes = bytesOf(JSON.stringify(of))
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
        return bytes
      }),
  },
)

/** What a header of HTTP may hold: no control characters, and bytes beyond ASCII as they are. */
const headerValue = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,60}$/)
const usual: Record<string, readonly string[]> = {
  accept: ['*/*', 'application/json', 'application/graphql-response+json', 'text/html', 'application/json;q=0', ''],
  authorization: ['Bearer x', 'Bearer a.b.c', 'Basic eDp5', 'Bearer', ''],
  'content-encoding': ['gzip', 'identity', 'br'],
  traceparent: [`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, 'nonsense'],
  tracestate: ['a=b', 'a=b,a=c', '='],
  origin: ['https://studio.apollographql.com', 'https://evil.example', 'null'],
  'access-control-request-method': ['POST', 'DELETE'],
  'access-control-request-headers': ['content-type', 'x-y'],
  'apollo-require-preflight': ['1', ''],
  'graphql-cost': ['report', 'x'],
  'x-request-id': ['r1', 'a b', '../x'],
  'x-forwarded-for': ['1.2.3.4', 'x'],
  'x-principal': ['e30.e30.x'],
  cookie: ['a=b'],
  range: ['bytes=0-1'],
  'if-none-match': ['*'],
  te: ['trailers'],
}
const headers = fc
  .array(
    fc
      .constantFrom(...Object.keys(usual))
      .chain((key) =>
        fc
          .oneof(
            { weight: 3, arbitrary: fc.constantFrom(...(usual[key] ?? [])) },
            { weight: 1, arbitrary: headerValue },
          )
          .map((of) => [key, of] as const),
      ),
    { maxLength: 4 },
  )
  .map((all): Record<string, string> => Object.fromEntries(all))
const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'application/json; charset=utf-16',
      'text/plain',
      'multipart/form-data',
      'application/graphql',
      '',
    ),
  },
  { weight: 1, arbitrary: headerValue },
)

const post: fc.Arbitrary<Generated> = fc.tuple(headers, contentType, body).map(([others, type, bytes]) => ({
  method: 'POST',
  path: '/graphql',
  headers: { ...others, 'content-type': type },
  body: bytes,
}))
const preflighted = { 'apollo-require-preflight': '1' }
const get: fc.Arbitrary<Generated> = fc.tuple(headers, params, fc.boolean()).map(([others, of, raw]) => {
  const search = new URLSearchParams(
    Object.entries(of).map(([key, part]): [string, string] => [
      key,
      typeof part === 'string' ? part : JSON.stringify(part),
    ]),
  )
  // Also without what a URL should be encoded by, as far as it may stand on the line.
  const query = raw
    ? decodeURIComponent(search.toString().replaceAll(/%(?![2-7])..|%(7F|2[03])/gi, ''))
    : search.toString()
  return {
    method: 'GET',
    path: `/graphql?${query.slice(0, 4_000)}`,
    headers: { ...preflighted, ...others },
    body: undefined,
  }
})
const odd: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.constantFrom(...METHODS.filter((method) => method !== 'CONNECT')),
    headers,
    fc.option(body, { nil: undefined }),
    fc.constantFrom(
      '/graphql',
      '/graphql/',
      '/graphql/x',
      '//graphql',
      '/%67raphql',
      '/nothing',
      '/health',
      '/explorer/../x',
      '/%',
      '*',
    ),
  )
  .map(([method, others, bytes, path]) => ({ method, path, headers: others, body: bytes }))

/** What clients send, but for what they ask. */
const wellMeant: fc.Arbitrary<Generated> = fc
  .tuple(sound, fc.constantFrom({}, { a: true }, { a: false, f: { name: 'x' } }))
  .map(([query, variables]) => ({
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: bytesOf(JSON.stringify({ query, variables })),
  }))

/** Requests to the graph, most of which get as far as a document. */
export const generated: fc.Arbitrary<Generated> = fc.oneof(
  { weight: 4, arbitrary: wellMeant },
  { weight: 7, arbitrary: post },
  { weight: 2, arbitrary: get },
  { weight: 1, arbitrary: odd },
)
