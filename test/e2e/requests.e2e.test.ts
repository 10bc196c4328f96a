import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { codesOf } from './refused.ts'

/** What is no GraphQL request, and what a browser gets. */

let stack: TestStack
before(async () => {
  stack = await startTestStack()
})
after(() => stack.stop())

describe('requests', () => {
  const send = (body: string, headers?: Record<string, string>) => stack.post(stack.url, body, headers)

  test('a body that is too large', async () => {
    const result = await send(JSON.stringify({ query: `{ me { name } } #${'x'.repeat(300_000)}` }))
    assert.deepEqual([result.status, ...codesOf(result)], [413, 'PAYLOAD_TOO_LARGE'])
  })
  test('a body that is not JSON, or not a request', async () => {
    for (const body of ['', '{', 'null', '[]', '1', '"x"', '{}', '{"query":1}', '{"query":"{a}","variables":"x"}']) {
      const result = await send(body)
      assert.equal(result.status, 400, body)
      assert.match(codesOf(result).join(), /^BAD_REQUEST$/, body)
    }
  })
  test('an operation that is not GraphQL, or not of this graph', async () => {
    assert.deepEqual(codesOf(await send('{"query":"{"}')), ['GRAPHQL_PARSE_FAILED'])
    assert.deepEqual(codesOf(await send('{"query":"{ nothing }"}')), ['GRAPHQL_VALIDATION_FAILED'])
    assert.deepEqual(codesOf(await send('{"query":"query A { me { id } } query B { me { id } }"}')), [
      'OPERATION_RESOLUTION_FAILURE',
    ])
  })
  test('another media type', async () => {
    const result = await send('<x/>', { 'content-type': 'application/xml' })
    assert.deepEqual([result.status, ...codesOf(result)], [415, 'BAD_REQUEST'])
  })
  test('a page from an origin that is not allowed gets no permission, Sandbox does', async () => {
    const preflight = async (origin: string) => {
      const { headers } = await request(stack.url, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type',
        },
      })
      return headers['access-control-allow-origin']
    }
    assert.equal(await preflight('https://studio.apollographql.com'), 'https://studio.apollographql.com')
    assert.equal(await preflight('https://evil.example'), undefined)
  })
  test('the request id of the client comes back; one that cannot stand in a log is replaced', async () => {
    const idFor = async (id: string) => {
      const { headers, body } = await request(stack.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-request-id': id },
        body: '{"query":"{__typename}"}',
      })
      await body.dump()
      return headers['x-request-id']
    }
    assert.equal(await idFor('abc-1'), 'abc-1')
    assert.match(String(await idFor('x'.repeat(500))), /^[0-9a-f-]{36}$/)
  })
  test('what an operation is estimated to cost, and what it did, is told to who asks', async () => {
    await stack.addProducts(1, 1)
    const query = '{ products(first: 50) { edges { node { name category { name } } } } }'
    const costOf = async (headers: Record<string, string>) => {
      const { body } = await request(stack.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      })
      return ((await body.json()) as { extensions?: { cost: unknown } }).extensions?.cost
    }
    // The connection, and for each of 50 or 2 edges itself, its node and the node's category.
    assert.deepEqual(await costOf({ 'graphql-cost': 'report' }), { estimated: 1 + 50 * 3, actual: 1 + 2 * 3 })
    assert.equal(await costOf({}), undefined)
  })
  test('the explorer that needs no network loads nothing from elsewhere', async () => {
    const url = new URL('/explorer/', stack.url)
    const { statusCode, headers, body } = await request(url)
    const page = await body.text()
    assert.equal(statusCode, 200)
    assert.match(String(headers['content-security-policy']), /^default-src 'self';/)
    assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//)
    const [, script = ''] = /src="(main[^"]*\.js)"/.exec(page) ?? []
    const { statusCode: found, headers: type, body: code } = await request(new URL(script, url))
    await code.dump()
    assert.deepEqual([found, /javascript/.test(String(type['content-type']))], [200, true])
  })
  test('a browser gets the page of Apollo Sandbox', async () => {
    const { statusCode, headers, body } = await request(stack.url, { headers: { accept: 'text/html' } })
    assert.equal(statusCode, 200)
    assert.match(String(headers['content-type']), /html/)
    assert.match(await body.text(), /sandbox/i)
  })
})
