import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { createForwarder, type FetchContext } from '../forward.ts'
import { ask } from './ask.ts'

let answer: (response: ServerResponse) => void = () => {}
let seen: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []
const server: Server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    seen.push({ path: request.url, headers: request.headers, body })
    answer(response)
  })
})
let url: string
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql?x=1`
})
after(() => server.close())

const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

async function fetch(
  request: { query: string; variables?: Record<string, unknown> },
  context: Partial<FetchContext> = {},
  { urls = [url], timeout = 5_000 } = {},
) {
  seen = []
  const forwarder = createForwarder({ name: 'things', urls, timeout, log })
  const whole = { requestId: 'r1', ...continueTrace({}), deadline: Date.now() + 10_000, ...context }
  const { data, errors } = await ask(forwarder, request, whole)
  await forwarder.close()
  return { data, errors: errors?.map(({ path, extensions }) => ({ path, ...(extensions as { code?: string }) })) }
}

test('a fetch carries the principal, the trace, the request id and the time left, and nothing of the client', async () => {
  answer = json({ data: { a: 1 } })
  const { traceparent } = continueTrace({})
  const trace = { traceparent, tracestate: 'foo=1,bar=2' }
  const { data } = await fetch({ query: '{a}', variables: { v: 1 } }, { principalToken: 'p', ...trace })
  assert.deepEqual(data, { a: 1 })
  const [{ headers, body } = { headers: {} as IncomingHttpHeaders, body: '' }] = seen
  assert.deepEqual(JSON.parse(body), { query: '{a}', variables: { v: 1 } })
  assert.equal(headers['x-principal'], 'p')
  assert.equal(headers.traceparent, traceparent)
  assert.equal(headers.tracestate, 'foo=1,bar=2')
  assert.equal(headers['x-request-id'], 'r1')
  assert.ok(Number(headers['x-timeout-ms']) <= 5_000)
  const ofTheConnection = ['connection', 'content-length', 'host']
  const ofTheFetch = [
    'accept',
    'content-type',
    'traceparent',
    'tracestate',
    'x-principal',
    'x-request-id',
    'x-timeout-ms',
  ]
  assert.deepEqual(Object.keys(headers).sort(), [...ofTheConnection, ...ofTheFetch].sort())
})

test('without a tracestate none is sent', async () => {
  answer = json({ data: {} })
  await fetch({ query: '{a}' })
  assert.ok(seen[0]?.headers.traceparent)
  assert.ok(!('tracestate' in seen[0].headers))
})

test('instances are asked in turn', async () => {
  answer = json({ data: {} })
  const forwarder = createForwarder({ name: 'things', urls: [url, url.replace('x=1', 'x=2')], timeout: 5_000, log })
  const context = { requestId: 'r', ...continueTrace({}), deadline: Date.now() + 5_000 }
  seen = []
  for (let n = 0; n < 4; n++) await forwarder.check(context)
  assert.deepEqual(
    seen.map(({ path }) => path?.at(-1)),
    ['1', '2', '1', '2'],
  )
  await forwarder.close()
})

test('a subgraph that is not there leaves each root field empty, with the error at its path', async () => {
  const { data, errors } = await fetch(
    { query: '{ a aliased: b { c } ...F } fragment F on Query { d }' },
    {},
    { urls: ['http://127.0.0.1:1'] },
  )
  assert.equal(data, null)
  assert.deepEqual(
    errors,
    [['a'], ['aliased'], ['d']].map((path) => ({
      path,
      code: 'SUBGRAPH_UNAVAILABLE',
      subgraph: 'things',
      retryAfter: 1,
    })),
  )
})

test('a failed fetch of entities leaves the fields of each empty, with the error at their paths', async () => {
  const representations = [{ __typename: 'A' }, { __typename: 'B' }, { __typename: 'A' }]
  const query =
    'query($representations:[_Any!]!){_entities(representations:$representations){__typename ... on A{x y:z} ... on B{...F}}} fragment F on B{q}'
  const { data, errors } = await fetch({ query, variables: { representations } }, {}, { urls: ['http://127.0.0.1:1'] })
  assert.deepEqual(data, { _entities: [null, null, null] })
  assert.deepEqual(
    errors?.map(({ path }) => path),
    [
      ['_entities', 0, 'x'],
      ['_entities', 0, 'y'],
      ['_entities', 1, 'q'],
      ['_entities', 2, 'x'],
      ['_entities', 2, 'y'],
    ],
  )
})

test('an entity of which no field is asked for by its very type is missing itself', async () => {
  answer = json('', 500)
  const representations = [{ __typename: 'Media', id: '1' }]
  for (const selections of ['... on Book { pages }', '__typename']) {
    const query = `query ($representations: [_Any!]!) { _entities(representations: $representations) { ${selections} } }`
    const { data, errors } = await fetch({ query, variables: { representations } })
    assert.deepEqual(data, { _entities: [null] })
    assert.deepEqual(
      errors?.map(({ path, code }) => [path, code]),
      [[['_entities', 0], 'SUBGRAPH_UNAVAILABLE']],
    )
  }
})

test('however many fields a failed fetch leaves empty, at most 100 errors are reported', async () => {
  const representations = Array.from({ length: 500 }, () => ({ __typename: 'A' }))
  const query = 'query($representations:[_Any!]!){_entities(representations:$representations){... on A{x}}}'
  const { errors } = await fetch({ query, variables: { representations } }, {}, { urls: ['http://127.0.0.1:1'] })
  assert.equal(errors?.length, 100)
})

test('an answer that does not come in time is SUBGRAPH_TIMEOUT', async () => {
  answer = () => {}
  const byTimeout = await fetch({ query: '{a}' }, {}, { timeout: 50 })
  assert.equal(byTimeout.errors?.[0]?.code, 'SUBGRAPH_TIMEOUT')
  const byDeadline = await fetch({ query: '{a}' }, { deadline: Date.now() + 50 })
  assert.equal(byDeadline.errors?.[0]?.code, 'SUBGRAPH_TIMEOUT')
  const afterDeadline = await fetch({ query: '{a}' }, { deadline: Date.now() - 1 })
  assert.equal(afterDeadline.errors?.[0]?.code, 'SUBGRAPH_TIMEOUT')
  assert.equal(seen.length, 0)
})

test('an answer that is no GraphQL response is SUBGRAPH_UNAVAILABLE', async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
    json({}),
    json([]),
    json(null),
    json({ data: 'none' }),
    json({ data: [] }),
    json({ data: null }),
    json({ errors: [] }),
    json({ errors: 'none' }),
    json({ data: {}, errors: [null] }),
    json({ data: {}, errors: [{ message: 7 }] }),
    json({ data: {}, errors: [{ message: 'x', path: 'a' }] }),
    json({ data: { a: 1 } }, 502),
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"data":')
      response.destroy()
    },
  ]
  for (const broken of answers) {
    answer = broken
    const { data, errors } = await fetch({ query: '{a}' })
    assert.equal(data, null)
    assert.equal(errors?.[0]?.code, 'SUBGRAPH_UNAVAILABLE')
  }
})

test('an answer that does not hold an entity, or null, for each that was asked for is SUBGRAPH_UNAVAILABLE', async () => {
  const query = 'query($representations:[_Any!]!){_entities(representations:$representations){... on A{x}}}'
  const variables = { representations: [{ __typename: 'A' }, { __typename: 'A' }] }
  for (const found of [undefined, null, {}, [], [{}], [{}, {}, {}], [{}, 7], [{}, []], [{}, { __typename: 7 }]]) {
    answer = json({ data: { _entities: found } })
    const { data, errors } = await fetch({ query, variables })
    assert.deepEqual(data, { _entities: [null, null] })
    assert.deepEqual(
      errors?.map(({ code }) => code),
      ['SUBGRAPH_UNAVAILABLE', 'SUBGRAPH_UNAVAILABLE'],
    )
  }
  answer = json({ data: { _entities: [null, { __typename: 'A', x: 1 }] } })
  assert.deepEqual((await fetch({ query, variables })).data, { _entities: [null, { __typename: 'A', x: 1 }] })
  answer = json({ data: { _entities: null }, errors: [{ message: 'none of them' }] })
  assert.equal((await fetch({ query, variables })).data, null)
})
