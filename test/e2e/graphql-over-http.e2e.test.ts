import assert from 'node:assert/strict'
import { METHODS } from 'node:http'
import { after, before, describe, test } from 'node:test'
import type { GraphQLFormattedError } from 'graphql'
import { serverAudits } from 'graphql-http'
import { request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'

/** GraphQL over HTTP as its specification and docs/http.md have it. */

/** Advice that is not followed: 200 for what is no valid operation, where a client takes `application/json`. */
const exceptions = ['572B', 'FDE2', '7B9B']

let graph: Awaited<ReturnType<typeof startForeignGraph>>
let gateway: TestGateway
before(async () => {
  const sdl = 'type Query { a: Int } type Mutation { b: Int }'
  const resolvers = { Query: { a: () => 1 }, Mutation: { b: () => 2 } }
  graph = await startForeignGraph({ things: { sdl, resolvers } })
  const SUPERGRAPH_FILE = await graph.supergraph()
  gateway = await runGateway({
    SUPERGRAPH_FILE,
    RATE_LIMITS: 'off',
    HSTS_MAX_AGE: '60',
    CORS_ORIGINS: 'https://a.example',
  })
  assert.equal(gateway.code, 'ready', gateway.output())
})
after(async () => {
  await gateway.stop()
  await graph.stop()
})

describe('the audits of graphql-http', () => {
  const audits = serverAudits({ url: () => `${gateway.url}/graphql`, fetchFn: preflighted })
  for (const { id, name, fn } of audits) {
    const expected = exceptions.includes(id) ? 'warn' : 'ok'
    test(`${id} ${name}${expected === 'ok' ? '' : ': not here'}`, async () => {
      const result = await fn()
      assert.equal(result.status, expected, 'reason' in result ? result.reason : '')
    })
  }
})

/** With the header that a GET needs here (docs/http.md). */
function preflighted(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('apollo-require-preflight', '1')
  return fetch(url, { ...init, headers })
}

async function send(method: string, headers: Record<string, string> = {}, body?: string, search = '') {
  const response = await request(`${gateway.url}/graphql${search}`, {
    method: method as 'GET',
    headers,
    ...(body !== undefined && { body }),
  })
  const text = await response.body.text()
  return { status: response.statusCode, headers: response.headers, text }
}
const json = { 'content-type': 'application/json' }

test('every method but GET, POST and OPTIONS is answered by 405 with the ones that are allowed', async () => {
  for (const method of METHODS.filter((method) => !['GET', 'POST', 'OPTIONS', 'CONNECT'].includes(method))) {
    const { status, headers } = await send(method)
    assert.deepEqual([status, headers.allow], [405, 'GET, POST, OPTIONS'], method)
  }
  const mutation = await send('GET', { 'apollo-require-preflight': '1' }, undefined, '?query=mutation{b}')
  assert.deepEqual([mutation.status, mutation.headers.allow], [405, 'POST'])
  const asked = await send('OPTIONS')
  assert.deepEqual([asked.status, asked.headers.allow, asked.text], [204, 'GET, POST, OPTIONS', ''])
})

test('caches are told what an answer depends on, and to keep none', async () => {
  const { headers } = await send('POST', json, '{"query":"{a}"}')
  assert.deepEqual(String(headers.vary).split(', ').sort(), ['Accept', 'Origin'])
  assert.equal(headers['cache-control'], 'no-store')
})

test('browsers are told that it is data, not a page, and to come by HTTPS', async () => {
  const { headers } = await send('POST', json, '{"query":"{a}"}')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['strict-transport-security'], 'max-age=60; includeSubDomains')
  assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
})

test('a path that cannot be decoded is refused by an answer with the headers of every other', async () => {
  const { statusCode, headers, body } = await request(`${gateway.url}/%zz`, {
    headers: { 'x-request-id': 'asked-as' },
  })
  assert.deepEqual(
    [statusCode, headers['x-request-id'], headers['x-content-type-options'], headers['cache-control']],
    [400, 'asked-as', 'nosniff', 'no-store'],
  )
  const [error] = ((await body.json()) as { errors: GraphQLFormattedError[] }).errors
  assert.equal(error?.extensions?.code, 'BAD_REQUEST')
})

test('a page of another origin makes nobody send a query without asking, and is allowed to only where it is listed', async () => {
  for (const headers of [{}, { 'content-type': 'text/plain' }, { accept: 'application/json' }]) {
    assert.equal((await send('GET', headers, undefined, '?query={a}')).status, 400)
  }
  assert.equal((await send('POST', { 'content-type': 'text/plain' }, '{"query":"{a}"}')).status, 415)
  const from = async (origin: string) =>
    (await send('POST', { ...json, origin }, '{"query":"{a}"}')).headers['access-control-allow-origin']
  assert.deepEqual([await from('https://a.example'), await from('https://b.example')], ['https://a.example', undefined])
})

test('a batch is answered by a list in its order, with the status of its answers where they agree', async () => {
  const batch = async (...queries: string[]) => {
    const { status, text } = await send('POST', json, JSON.stringify(queries.map((query) => ({ query }))))
    return [
      status,
      JSON.parse(text).map(({ data, errors }: { data?: unknown; errors?: unknown[] }) => data ?? errors?.length),
    ]
  }
  assert.deepEqual(await batch('{a}', 'mutation{b}'), [200, [{ a: 1 }, { b: 2 }]])
  assert.deepEqual(await batch('{', '{x}'), [400, [1, 1]])
  assert.deepEqual(await batch('{', '{a}'), [200, [1, { a: 1 }]])
})
