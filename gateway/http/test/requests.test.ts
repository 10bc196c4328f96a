import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerSettings, securityHeaders } from '../headers.ts'
import { preferredType } from '../media-types.ts'
import { paramsOfBody, paramsOfQuery } from '../params.ts'

const badRequest = { code: 'BAD_REQUEST' }

describe('parameters', () => {
  test('are a query with what belongs to it; null and an empty string are nothing', () => {
    const { operations, batch } = paramsOfBody({ query: '{a}', operationName: '', variables: null, x: 1 }, 1)
    assert.deepEqual([operations, batch], [[{ query: '{a}', variables: {}, extensions: {} }], false])
  })
  test('of another shape are refused', () => {
    for (const value of [1, true, [], {}, 0.5]) {
      for (const name of ['query', 'operationName', 'documentId']) {
        assert.throws(() => paramsOfBody({ [name]: value }, 1), badRequest, `${name}: ${JSON.stringify(value)}`)
      }
    }
    for (const value of [1, 'x', true, []]) {
      assert.throws(() => paramsOfBody({ query: '{a}', variables: value }, 1), badRequest)
      assert.throws(() => paramsOfBody({ query: '{a}', extensions: value }, 1), badRequest)
    }
    for (const body of [null, undefined, 1, 'x', true]) assert.throws(() => paramsOfBody(body, 1), badRequest)
  })
  test('of a URL hold variables and extensions as JSON, each once', () => {
    const { operations } = paramsOfQuery({ query: '{a}', variables: '{"b":1}', extensions: '' })
    assert.deepEqual(operations, [{ query: '{a}', variables: { b: 1 }, extensions: {} }])
    for (const query of [
      { query: ['{a}', '{b}'] },
      { query: '{a}', variables: '{' },
      { query: '{a}', variables: ['{}', '{}'] },
    ]) {
      assert.throws(() => paramsOfQuery(query), badRequest)
    }
  })
  test('come in batches up to a number', () => {
    const one = { query: '{a}' }
    assert.equal(paramsOfBody([one, one], 2).operations.length, 2)
    for (const batch of [[], [one, one, one], [one, null], [[one]]])
      assert.throws(() => paramsOfBody(batch, 2), badRequest)
  })
})

describe('the media type of an answer', () => {
  const cases: [accept: string | undefined, type: string | undefined][] = [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/graphql-response+json', 'application/graphql-response+json'],
    ['application/json, application/graphql-response+json', 'application/json'],
    ['application/json;q=0.5, application/graphql-response+json', 'application/graphql-response+json'],
    ['application/graphql-response+json;q=0, */*', 'application/json'],
    ['application/json;q=0, */*;q=0.1', 'application/graphql-response+json'],
    ['text/html', undefined],
    ['application/json;q=0', undefined],
    ['nonsense', undefined],
    [`text/x,${'a/b,'.repeat(2_000)}application/json`, undefined],
  ]
  for (const [accept, type] of cases) {
    test(`for ${accept?.slice(0, 60)}`, () => {
      assert.equal(preferredType(accept), type)
      assert.equal(preferredType(accept), type, 'remembered')
    })
  }
  test('is that of a page for a browser, where there is one', () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8'
    assert.equal(preferredType(browser, { pages: true }), 'text/html')
    assert.equal(preferredType(browser), 'application/json')
    assert.equal(preferredType('application/json, text/html', { pages: true }), 'application/json')
  })
})

test('no header that says who a client is, and none of a connection, can be let through to subgraphs', () => {
  const { FORWARD_HEADERS } = headerSettings
  assert.deepEqual(FORWARD_HEADERS.parse('Accept-Language, x-tenant'), ['accept-language', 'x-tenant'])
  const own = [
    'X-Principal',
    'x-user-id',
    'X-Forwarded-For',
    'authorization',
    'cookie',
    'Host',
    'Transfer-Encoding',
    'te',
  ]
  for (const name of [...own, 'traceparent', 'baggage', 'content-length', 'x-timeout-ms', 'a b', 'a\nb']) {
    assert.ok(!FORWARD_HEADERS.safeParse(name).success, name)
  }
})

test('browsers are told to come by HTTPS alone where a time is set', () => {
  assert.equal(securityHeaders(60)['strict-transport-security'], 'max-age=60; includeSubDomains')
  assert.ok(!('strict-transport-security' in securityHeaders(0)))
})
