import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { currentContext, type RequestContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createHealth } from '../health.ts'
import { type Log, silentLog } from '../log.ts'
import { createMask } from '../mask.ts'
import { createPrincipalSigner, createPrincipalVerifier, type Principal } from '../principal.ts'
import { createSubgraph } from '../subgraph.ts'
import { testKeys } from './keys.ts'

const { privateKeys, keys } = await testKeys('gateway', 'orders')
const principal: Principal = { sub: 'u1', sid: 's1', scopes: [], anonymous: false, address: null }
const schema = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  scalar DateTime
  type Query { who: String  refused: Int  broken: Int  busy: Int  away: Int  at: DateTime wrong: Int peer: Int }
`
let folder: string
let app: FastifyInstance
let token: string
let context: RequestContext | undefined
const logged: unknown[] = []
const log: Log = { ...silentLog, error: (_message, { errorId } = {}) => logged.push(errorId) }

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'subgraph-'))
  await writeFile(join(folder, 'schema.graphql'), schema)
  token = await createPrincipalSigner({ key: privateKeys.gateway })(principal)
  const health = createHealth([
    {
      name: 'database',
      required: true,
      check: async () => {},
    },
    {
      name: 'events',
      required: false,
      check: () => Promise.reject(Object.assign(new Error('secret host'), { code: 'ECONNREFUSED' })),
    },
  ])
  await health.start()
  app = await createSubgraph({
    schemaFile: pathToFileURL(join(folder, 'schema.graphql')),
    resolvers: {
      Query: {
        who(_root: unknown, _args: unknown, { principal }: { principal: Principal }) {
          context = currentContext()
          return principal.sub
        },
        refused: () => Promise.reject(new ServiceError('NOT_FOUND', 'There is no such thing.', { field: 'id' })),
        broken: () => Promise.reject(new Error('password=secret')),
        busy: () => Promise.reject(new Error('timeout exceeded when trying to connect')),
        away: () => Promise.reject(Object.assign(new Error('at host secret'), { code: 'P1001' })),
        at: () => new Date(0),
        wrong: () => 'secret',
        peer: () => Promise.reject(new ServiceError('INTERNAL_SERVER_ERROR', 'The call to secret failed.')),
      },
    },
    createContext: (principal) => ({ principal }),
    verifyPrincipal: createPrincipalVerifier({ keys }),
    lifecycle: { ready: true, stopping: false, onStop() {} },
    health,
    mask: createMask({ service: 'things', log }),
  })
})
after(async () => {
  await app.close()
  await rm(folder, { recursive: true })
})

const post = (payload: unknown, headers: Record<string, string> = { 'x-principal': token }) =>
  app.inject({
    method: 'POST',
    url: '/graphql',
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    headers: { 'content-type': 'application/json', ...headers },
  })

test('the caller of a resolver is the principal that the gateway signed', async () => {
  const response = await post({ query: '{ who at }' })
  assert.deepEqual(response.json(), { data: { who: 'u1', at: '1970-01-01T00:00:00.000Z' } })
})

test('a call without a valid principal gets 401 before anything is read', async () => {
  const byOrders = await createPrincipalSigner({ key: privateKeys.orders })(principal)
  for (const headers of [
    {},
    { 'x-principal': 'x' },
    { 'x-principal': byOrders },
    { authorization: `Bearer ${token}` },
  ]) {
    const response = await post('{ not even JSON', headers as Record<string, string>)
    assert.equal(response.statusCode, 401)
    assert.match(String(response.headers['www-authenticate']), /^Bearer /)
    assert.equal(response.json().errors[0].extensions.code, 'UNAUTHENTICATED')
  }
})

/** Sends header lines as they stand here. */
async function sendRaw(body: string, lines: readonly string[]): Promise<void> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  const head = ['POST /graphql HTTP/1.1', 'host: a', 'connection: close', 'content-type: application/json']
  socket.end([...head, `content-length: ${body.length}`, ...lines, '', body].join('\r\n'))
  await text(socket)
}

test('trace, request id, deadline and principal are there for what the resolver calls', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  await post({ query: '{ who }' }, { 'x-principal': token, traceparent, 'x-request-id': 'r1', 'x-timeout-ms': '5000' })
  assert.equal(context?.traceparent.slice(0, 36), traceparent.slice(0, 36))
  assert.notEqual(context?.traceparent, traceparent)
  assert.equal(context?.requestId, 'r1')
  assert.equal(context?.principalToken, token)
  assert.ok(Math.abs((context?.deadline ?? 0) - Date.now() - 5000) < 4000)
})

test('the trace is read from the headers of HTTP as they are sent, and nothing else of a caller is kept', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const contextFor = async (...lines: string[]) => {
    context = undefined
    await sendRaw('{"query":"{ who }"}', [`x-principal: ${token}`, ...lines])
    return context as RequestContext | undefined
  }
  const sameTrace = ({ traceparent: seen }: RequestContext) => seen.slice(0, 36) === traceparent.slice(0, 36)

  const whole = await contextFor(
    `TraceParent: \t ${traceparent} \t`,
    'TRACESTATE: foo=1 , bar=2',
    'tracestate:',
    'TraceState: baz=3',
    'baggage: secret=1',
  )
  assert.ok(whole && sameTrace(whole))
  assert.equal(whole.tracestate, 'foo=1,bar=2,baz=3')
  assert.deepEqual(Object.keys(whole).sort(), ['principalToken', 'traceparent', 'tracestate'])

  const invalid = [
    [`traceparent: ${traceparent}`, `traceparent: ${traceparent}`],
    [`traceparent: cc${traceparent.slice(2)}-more`, `traceparent: ${traceparent}`],
    [`traceparent: ${traceparent.toUpperCase()}`],
    [`trace-parent: ${traceparent}`],
    [`trace.parent: ${traceparent}`],
    [],
  ]
  for (const lines of invalid) {
    const restarted = await contextFor(...lines, 'tracestate: foo=1')
    assert.ok(restarted && !sameTrace(restarted))
    assert.equal(restarted.tracestate, undefined)
  }
  for (const wrong of ['trace-state', 'trace.state']) {
    assert.equal((await contextFor(`traceparent: ${traceparent}`, `${wrong}: foo=1`))?.tracestate, undefined)
  }
})

test('refusals keep their words, everything else is masked', async () => {
  const { errors } = (await post({ query: '{ refused broken busy away wrong peer }' })).json()
  const byPath = Object.fromEntries(errors.map((error: { path: string[] }) => [error.path[0], error]))
  assert.deepEqual(byPath.refused.extensions, { code: 'NOT_FOUND', field: 'id' })
  assert.equal(byPath.refused.message, 'There is no such thing.')
  for (const { extensions } of [byPath.broken, byPath.wrong, byPath.peer]) {
    assert.equal(extensions.code, 'INTERNAL_SERVER_ERROR')
    assert.match(extensions.errorId, /^[0-9a-f-]{36}$/)
    assert.ok(logged.includes(extensions.errorId), 'the id is that of a log line')
  }
  assert.deepEqual(byPath.busy.extensions, { code: 'OVERLOADED', subgraph: 'things', retryAfter: 1 })
  assert.deepEqual(byPath.away.extensions, { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'things', retryAfter: 1 })
  assert.doesNotMatch(JSON.stringify(errors), /secret|stack/)
})

test('malformed requests are refused with a code', async () => {
  const codeOf = async (payload: unknown, headers?: Record<string, string>) => {
    const response = await post(payload, headers && { 'x-principal': token, ...headers })
    return [response.statusCode, response.json().errors[0].extensions.code]
  }
  assert.deepEqual(await codeOf('{'), [400, 'BAD_REQUEST'])
  assert.deepEqual(await codeOf({ query: '{ nothing }' }), [400, 'GRAPHQL_VALIDATION_FAILED'])
  assert.deepEqual(await codeOf({ query: '{' }), [400, 'GRAPHQL_PARSE_FAILED'])
  assert.deepEqual(await codeOf('x', { 'content-type': 'application/xml' }), [415, 'BAD_REQUEST'])
  assert.deepEqual(await codeOf({ query: 'x'.repeat(5_000_000) }), [413, 'PAYLOAD_TOO_LARGE'])
})

test('an operation that is known is answered as it was the first time, byte for byte', async () => {
  type Asked = readonly [body: object, headers?: Record<string, string>]
  const requests: Asked[] = [
    [{ query: '{ who at }' }],
    [{ query: 'query Named { who }', operationName: 'Named' }],
    [{ query: 'query Named { who }', operationName: 'Other' }],
    [{ query: 'query A { who } query B { at }', operationName: 'B' }],
    [{ query: 'query A { who } query B { at }' }],
    [{ query: '{ who refused busy away at }', variables: null, operationName: null, extensions: null }],
    [{ query: 'query ($in: Boolean!) { who @include(if: $in) at }', variables: { in: false } }],
    [{ query: 'query ($in: Boolean!) { who @include(if: $in) at }', variables: { in: 'no' } }],
    [{ query: 'query ($in: Boolean!) { who @include(if: $in) at }' }],
    [{ query: 'query ($in: Boolean!) { who @include(if: $in) at }', variables: [] }],
    [{ query: 'query ($in: Boolean!) { who @include(if: $in) at }', variables: 'x' }],
    [{ query: '{ who at }', extensions: { other: 1 } }],
    [{ query: '{ who at }', extensions: 'x' }],
    [{ query: '{ who at }' }, { accept: 'application/graphql-response+json' }],
    [{ query: '{ who at }' }, { accept: 'text/html' }],
    [{ query: '{ who at }' }, { accept: 'application/json' }],
    [{ query: '{ nothing }' }],
  ]
  const answerTo = async ([body, headers = {}]: Asked) => {
    const { statusCode, payload, headers: sent } = await post(body, { 'x-principal': token, ...headers })
    const { date: _, ...kept } = sent
    return { statusCode, payload, headers: kept }
  }
  // Spaces make it another text, which nobody has seen: Apollo Server answers.
  const unseen = ([body, headers = {}]: Asked): Asked => {
    const { query } = body as { query: string }
    return [{ ...body, query: `${query} # ${Math.random()}` }, headers]
  }
  for (const request of requests) await answerTo(request)
  for (const request of requests) {
    assert.deepEqual(await answerTo(request), await answerTo(unseen(request)), JSON.stringify(request))
  }
})

test('health says what works, without addresses', async () => {
  const health = await app.inject('/health')
  assert.equal(health.statusCode, 200)
  const { status, dependencies } = health.json()
  assert.equal(status, 'DEGRADED')
  assert.equal(dependencies.database.status, 'UP')
  assert.equal(dependencies.events.reason, 'ECONNREFUSED')
  assert.equal((await app.inject('/health/live')).statusCode, 200)
  assert.equal((await app.inject('/health/ready')).statusCode, 200)
})
