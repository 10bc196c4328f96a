import fc from 'fast-check'
import type { GraphQLSchema } from 'graphql'
import { documentsOf, nonsense } from './fuzz-documents.ts'

/** A request as undici sends it. */
export type FuzzRequest = {
  method: string
  path: string
  headers: Record<string, string>
  body: Buffer | null
}

const json = { 'content-type': 'application/json' }
const parameters = ['query', 'variables', 'operationName', 'extensions', 'documentId']
const accepts = [
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/*;q=0.5',
  'text/html',
  'image/png',
  'application/json;q=0',
  '',
  ',',
  ';q=',
  'application/graphql-response+json;charset=utf-8, application/json;q=0.9',
]
const types = [
  'application/json',
  'APPLICATION/JSON',
  'application/json; charset=utf-8',
  'application/json;charset=utf-16',
  'application/json;x',
  'text/plain',
  'application/graphql',
  'multipart/form-data',
  '',
  ';',
  'application/json, text/plain',
]
const headerNames = [
  'x-request-id',
  'x-principal',
  'x-user-id',
  'x-forwarded-for',
  'traceparent',
  'tracestate',
  'baggage',
  'origin',
  'referer',
  'cookie',
  'graphql-cost',
  'apollo-require-preflight',
  'x-apollo-operation-name',
  'authorization',
  'content-encoding',
  'access-control-request-method',
  'range',
  'if-none-match',
  'accept-encoding',
  'priority',
]
const methods = ['GET', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND', 'TRACE', 'SEARCH']

/** Requests of every kind. */
export function requestsFor(schema: GraphQLSchema): fc.Arbitrary<FuzzRequest> {
  const documents = documentsOf(schema)
  const queries = fc.oneof({ weight: 4, arbitrary: documents }, nonsense, fc.string({ unit: 'binary', maxLength: 40 }))
  const whole = fc.record(
    {
      query: documents,
      variables: fc.dictionary(fc.constantFrom('v', 'w', 'n', 'x'), fc.jsonValue({ maxDepth: 2 })),
      extensions: fc.constant({}),
      operationName: fc.constantFrom('Operation0', 'Operation1', 'none', null),
    },
    { requiredKeys: ['query'] },
  )
  const body = fc.oneof(whole, fc.array(whole, { maxLength: 12 })).map((value) => JSON.stringify(value))

  const ofDocuments = queries.map((query) => post(JSON.stringify({ query })))
  const ofBytes = fc
    .tuple(body, fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) =>
      post(edits.reduce<Buffer<ArrayBuffer>>((bytes, change) => change(bytes), Buffer.from(text))),
    )
  const ofParameters = fc
    .dictionary(
      fc.constantFrom(...parameters),
      fc.oneof(fc.jsonValue(), queries, fc.constant({ persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } })),
    )
    .map((value) => post(JSON.stringify(value)))
  const ofJson = fc.json().map(post)
  const ofHeaders = fc
    .record({
      method: fc.oneof(fc.constant('POST'), fc.constantFrom(...methods)),
      type: fc.constantFrom(...types),
      accept: fc.constantFrom(...accepts),
      others: fc.dictionary(fc.constantFrom(...headerNames), fc.oneof(fc.constant('1'), headerValue), { maxKeys: 4 }),
      body,
    })
    .map(({ method, type, accept, others, body }) => ({
      method,
      path: '/graphql',
      headers: { ...others, accept, ...(type && { 'content-type': type }) },
      body: method === 'GET' || method === 'TRACE' ? null : Buffer.from(body),
    }))
  const ofAddresses = fc
    .array(
      fc.tuple(
        fc.constantFrom(...parameters, 'x', '__proto__', 'query[]'),
        fc.oneof(queries, fc.json(), fc.constantFrom('', '%', '%ff', '{}', '+')),
      ),
      { maxLength: 5 },
    )
    .chain((pairs) =>
      fc
        .boolean()
        .map((escaped) =>
          pairs
            .map(
              ([name, value]) =>
                `${name}=${escaped ? encodeURIComponent(value.toWellFormed()) : value.replaceAll(/[^!-~]|#/g, '%')}`,
            )
            .join('&'),
        ),
    )
    .map((search) => ({
      method: 'GET',
      path: `/graphql?${search}`,
      headers: { 'apollo-require-preflight': '1' },
      body: null,
    }))
  return fc.oneof({ weight: 3, arbitrary: ofDocuments }, ofBytes, ofParameters, ofJson, ofHeaders, ofAddresses)
}

function post(body: string | Buffer): FuzzRequest {
  return { method: 'POST', path: '/graphql', headers: json, body: Buffer.from(body) }
}

const headerValue = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
})

/** One change of some bytes: another byte, some left out, some twice. */
const edit: fc.Arbitrary<(bytes: Buffer<ArrayBuffer>) => Buffer<ArrayBuffer>> = fc
  .tuple(
    fc.constantFrom('set', 'insert', 'drop', 'repeat'),
    fc.nat(),
    fc.nat({ max: 8 }),
    fc.integer({ min: 0, max: 255 }),
  )
  .map(([kind, place, length, byte]) => (bytes) => {
    const at = bytes.length === 0 ? 0 : place % bytes.length
    const [head, middle, tail] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
    if (kind === 'set') return Buffer.concat([head, Buffer.of(byte), bytes.subarray(at + 1)])
    if (kind === 'insert') return Buffer.concat([head, Buffer.of(byte), middle, tail])
    return Buffer.concat(kind === 'drop' ? [head, tail] : [head, middle, middle, tail])
  })
