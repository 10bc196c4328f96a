import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { serverAudits } from 'graphql-http'
import { Agent, type Dispatcher, fetch, request } from 'undici'
import { startTestStack, type TestStack } from '../infra/stack.ts'

/** What the specification of GraphQL over HTTP asks for, as its own audits see it, and what browsers need beside it. */

/**
 * Audits that ask for 200 where a request cannot be executed and the client takes application/json. Here what is wrong with a
 * request is a 400 in both media types, as the specification allows.
 */
const exceptions = ['572B', 'FDE2', '7B9B']

let stack: TestStack
let agent: Agent
before(async () => {
  stack = await startTestStack()
  agent = new Agent({ connections: 4 })
})
after(async () => {
  await agent.close()
  await stack.stop()
})

const send = (method: string, { path = '', headers = {}, body = null as string | null } = {}) =>
  request(`${stack.url}${path}`, { dispatcher: agent, method: method as Dispatcher.HttpMethod, headers, body })
const post = (value: unknown, headers: Record<string, string> = {}) =>
  send('POST', { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) })
const preflighted = { 'apollo-require-preflight': '1' }

describe('the audits of graphql-http', () => {
  // The address is known when the stack is there.
  const audits = serverAudits({
    url: () => stack.url,
    fetchFn: (url: string, init: object) => fetch(url, { ...init, dispatcher: agent }),
  })
  for (const { id, name, fn } of audits.filter(({ name }) => /^(MUST|SHOULD)/.test(name))) {
    const expected = exceptions.includes(id) ? 'warn' : 'ok'
    test(`${id}: ${name}${expected === 'ok' ? '' : ': not here'}`, async () => {
      const result = await fn()
      assert.equal(result.status, expected, 'reason' in result ? result.reason : '')
    })
  }
})

describe('methods', () => {
  test('a method that is not allowed is told which are', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'HEAD', 'TRACE']) {
      const { statusCode, headers, body } = await send(method)
      await body.dump()
      assert.deepEqual([statusCode, headers.allow], [405, 'GET, POST, OPTIONS'], method)
    }
  })
  test('a mutation by GET is told to come by POST', async () => {
    const query = encodeURIComponent('mutation { __typename }')
    const { statusCode, headers, body } = await send('GET', { path: `?query=${query}`, headers: preflighted })
    await body.dump()
    assert.deepEqual([statusCode, headers.allow], [405, 'POST'])
  })
  test('OPTIONS without an origin tells the methods', async () => {
    const { statusCode, headers, body } = await send('OPTIONS')
    assert.deepEqual([statusCode, headers.allow, await body.text()], [204, 'GET, POST, OPTIONS', ''])
  })
  test('a recorded operation is asked for by GET with its id', async () => {
    const variables = encodeURIComponent('{"first":1}')
    const path = `?documentId=demo/Browse&variables=${variables}`
    const { statusCode, body } = await send('GET', { path, headers: preflighted })
    const answer = (await body.json()) as { data?: object; errors?: unknown }
    assert.deepEqual([statusCode, answer.errors], [200, undefined])
    assert.ok(answer.data)
  })
})

describe('headers', () => {
  test('what an answer depends on stands in Vary', async () => {
    for (const origin of ['https://studio.apollographql.com', 'https://evil.example', undefined]) {
      const { headers, body } = await post({ query: '{ __typename }' }, origin ? { origin } : {})
      await body.dump()
      const names = String(headers.vary).split(/, */)
      assert.ok(names.includes('Accept') && names.includes('Origin'), `${headers.vary}`)
    }
  })
  test('an answer is data, not to be kept, shown in a frame or read as anything else', async () => {
    for (const answer of [await post({ query: '{ __typename }' }), await post({ query: '{' }), await send('PUT')]) {
      const { headers } = answer
      await answer.body.dump()
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['x-frame-options'], 'DENY')
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'")
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['strict-transport-security'], undefined, 'development has no HTTPS')
      assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/)
    }
  })
})

describe('batches', () => {
  const statusOf = async (batch: object[]) => {
    const { statusCode, body } = await post(batch)
    assert.equal(((await body.json()) as unknown[]).length, batch.length)
    return statusCode
  }
  const good = { query: '{ __typename }' }
  const bad = { query: '{' }
  test('a batch has the status that all of its operations have, and 200 where they differ', async () => {
    assert.equal(await statusOf([good, good]), 200)
    assert.equal(await statusOf([bad, bad]), 400)
    assert.equal(await statusOf([good, bad]), 200)
  })
})
