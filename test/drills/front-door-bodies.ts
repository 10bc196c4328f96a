import { type Attempt, ask, type Door } from './front-door-attempts.ts'
import { exchange, rawRequest } from './front-door-wire.ts'

const refused = '400 BAD_REQUEST'
const query = '"query":"{ __typename }"'

/** Bodies that are no request, or are one to some readers and another one to others. */
export function bodies(door: Door): Attempt[] {
  const attempt = (what: string, expected: string, body: string | Buffer) => ask(door, what, expected, { body })
  const table: Record<string, [body: string | Buffer, expected?: string]> = {
    'an empty body': [''],
    'white space': [' \r\n\t '],
    null: ['null'],
    true: ['true'],
    'a number': ['1'],
    'a string': ['"{ __typename }"'],
    'an array of strings': ['["{ __typename }"]'],
    'an object without a query': ['{}'],
    'GraphQL as it is': ['{ __typename }'],
    'half a body of JSON': ['{"query":"{ __typ'],
    'trailing garbage': [`{${query}}x`],
    'a second value': [`{${query}}{${query}}`],
    'a trailing comma': [`{${query},}`],
    'a comment': [`{${query}/* */}`],
    'single quotes': ["{'query':'{ __typename }'}"],
    NaN: [`{${query},"variables":{"a":NaN}}`],
    Infinity: [`{${query},"variables":{"a":Infinity}}`],
    'a hexadecimal number': [`{${query},"variables":{"a":0x10}}`],
    'a leading zero': [`{${query},"variables":{"a":01}}`],
    '1e400': [`{${query},"variables":{"a":1e400}}`],
    '2^53 + 1': [`{${query},"variables":{"a":9007199254740993}}`],
    '-(2^53 + 1)': [`{${query},"variables":{"a":-9007199254740993}}`],
    '400 digits': [`{${query},"variables":{"a":${'9'.repeat(400)}}}`],
    '200,000 digits': [`{${query},"variables":{"a":${'9'.repeat(200_000)}}}`],
    'objects 10,000 deep': [`{${query},"variables":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`],
    'arrays 100,000 deep': ['['.repeat(100_000) + ']'.repeat(100_000)],
    'arrays 100,000 deep in a variable': [`{${query},"variables":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
    'a depth of 65': [`{${query},"variables":{"a":${'['.repeat(63)}${']'.repeat(63)}}}`],
    'arrays without end': ['['.repeat(200_000)],
    'objects without end': ['{"a":'.repeat(40_000)],
    'quotes without end': ['"'.repeat(200_000)],
    '200 KB of backslashes': [`{"query":"${'\\\\'.repeat(100_000)}"}`, '400 GRAPHQL_PARSE_FAILED'],
    '200 KB of quotes that are escaped': [`{"query":"${'\\"'.repeat(100_000)}"}`, '400 GRAPHQL_PARSE_FAILED'],
    'a name twice': [`{${query},${query}}`],
    'a name twice, in other letters': [`{${query},"\\u0071uery":"{ me { id } }"}`],
    'a name twice, deep inside': [`{${query},"variables":{"a":[{"b":1,"b":2}]}}`],
    'a name twice, deep inside, in other letters': [`{${query},"variables":{"a":{"b":1,"\\u0062":2}}}`],
    __proto__: [`{${query},"variables":{"__proto__":{"admin":true}}}`],
    '__proto__ in other letters': [`{${query},"variables":{"\\u005f_proto__":{"admin":true}}}`],
    '__proto__ of the request': [`{"__proto__":{${query}}}`],
    'constructor and prototype': [`{${query},"variables":{"constructor":{"prototype":{"a":1}}}}`, '200 data'],
    'names of methods': [`{${query},"variables":{"toString":1,"hasOwnProperty":2,"valueOf":3}}`, '200 data'],
    'a query that is a number': ['{"query":1}'],
    'a query that is a list': ['{"query":["{ __typename }"]}'],
    'a query that is an object': ['{"query":{"kind":"Document","definitions":[]}}'],
    'a query that is null': ['{"query":null}'],
    'an empty query': ['{"query":""}'],
    'a query of NUL': ['{"query":"\\u0000"}', '400 GRAPHQL_PARSE_FAILED'],
    'NUL in the body': [`{${query}\0}`],
    'an operationName that is a number': [`{${query},"operationName":1}`],
    'an operationName of nobody': [`{${query},"operationName":"nobody"}`, '400 OPERATION_RESOLUTION_FAILURE'],
    'an operationName of __proto__': [`{${query},"operationName":"__proto__"}`, '400 OPERATION_RESOLUTION_FAILURE'],
    'two operations and no name': [
      '{"query":"query A { a: __typename } query B { b: __typename }"}',
      '400 OPERATION_RESOLUTION_FAILURE',
    ],
    'variables that are text': [`{${query},"variables":"{}"}`],
    'variables that are a list': [`{${query},"variables":[]}`],
    'variables that are a number': [`{${query},"variables":0}`],
    'extensions that are text': [`{${query},"extensions":"{}"}`],
    'extensions that are a list': [`{${query},"extensions":[]}`],
    'extensions that are false': [`{${query},"extensions":false}`],
    'a persisted query that is a string': [`{${query},"extensions":{"persistedQuery":"x"}}`],
    'a persisted query of another version': [
      `{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"${'a'.repeat(64)}"}}}`,
    ],
    'a persisted query whose hash is another': [
      `{${query},"extensions":{"persistedQuery":{"version":1,"sha256Hash":"${'a'.repeat(64)}"}}}`,
    ],
    'a persisted query of nobody': [
      `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"${'a'.repeat(64)}"}}}`,
      '400 PERSISTED_QUERY_NOT_FOUND',
    ],
    'a documentId that is a path': ['{"documentId":"../../package.json"}', '400 PERSISTED_QUERY_NOT_FOUND'],
    'a documentId of __proto__': ['{"documentId":"__proto__"}', '400 PERSISTED_QUERY_NOT_FOUND'],
    'a documentId that is a number': ['{"documentId":1}'],
    'a documentId and a query': [`{${query},"documentId":"demo/Browse"}`],
    'a byte order mark': [Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(`{${query}}`)]), '200 data'],
    'UTF-8 that is not': [Buffer.from(`{"query":"{ __typename }","operationName":"\xff"}`, 'latin1')],
    'UTF-8 that is overlong': [Buffer.from('{"query":"\xc0\xaf"}', 'latin1')],
    'a surrogate in UTF-8': [Buffer.from('{"query":"\xed\xa0\x80"}', 'latin1')],
    'UTF-16': [Buffer.from(`\ufeff{${query}}`, 'utf16le')],
    'UTF-16 without a mark': [Buffer.from(`{${query}}`, 'utf16le')],
    'a lone surrogate in a query': ['{"query":"{ a(b: \\"\\ud800\\") }"}', '400 GRAPHQL_PARSE_FAILED'],
    'a lone surrogate in a variable': [
      `{"query":"query ($id: ID!) { product(id: $id) { id } }","variables":{"id":"\\ud800"}}`,
      '200 NOT_FOUND',
    ],
    'NUL in a variable': [
      `{"query":"query ($id: ID!) { product(id: $id) { id } }","variables":{"id":"\\u0000"}}`,
      '200 NOT_FOUND',
    ],
    '60,000 names that are not read': [
      `{${query},${Array.from({ length: 24_000 }, (_, n) => `"${n}":1`).join()}}`,
      '200 data',
    ],
  }
  return [
    ...Object.entries(table).map(([what, [body, expected = refused]]) => attempt(`body: ${what}`, expected, body)),
    ...tooLarge(door),
  ]
}

/** Their senders see why, and may go on. */
function tooLarge({ port }: Door): Attempt[] {
  const megabyte = '{'.repeat(1_048_576)
  const next = rawRequest({ body: `{${query}}` })
  return Object.entries({ '1 MB of {': megabyte, '1 MB of a query': `{"query":"${megabyte}"}` }).map(
    ([what, body]) => ({
      what: `body: ${what}, and a query behind it`,
      expected: '413 PAYLOAD_TOO_LARGE, 200 data',
      run: () => exchange(port, [rawRequest({ headers: { connection: 'keep-alive' }, body }), next]),
    }),
  )
}
