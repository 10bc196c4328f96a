import { METHODS } from 'node:http'
import { type Attempt, ask, type Door, many } from './front-door-attempts.ts'
import type { RawRequest } from './front-door-wire.ts'

const body = '{"query":"{ __typename }"}'
const refused = '400 BAD_REQUEST'
const get = `/graphql?query=${encodeURIComponent('{ __typename }')}`
const preflighted = { 'apollo-require-preflight': '1' }

/** Methods, media types, origins and addresses. */
export function headers(door: Door): Attempt[] {
  const attempt = (what: string, expected: string, request: RawRequest) => ask(door, what, expected, request)
  return [...methods(attempt), ...mediaTypes(attempt), ...origins(attempt), ...addresses(attempt), ...identities(door)]
}

type Make = (what: string, expected: string, request: RawRequest) => Attempt

function methods(attempt: Make): Attempt[] {
  const others = METHODS.filter((method) => !['GET', 'POST', 'OPTIONS', 'CONNECT', 'HEAD'].includes(method))
  return [
    ...others.map((method) => attempt(`method ${method}`, '405 BAD_REQUEST', { method })),
    attempt('method HEAD', '405 -', { method: 'HEAD' }),
    attempt('method CONNECT', 'closed', { method: 'CONNECT' }),
    attempt('a method that is invented', refused, { method: 'GRAPH' }),
    attempt('a method in small letters', refused, { method: 'post' }),
    attempt('a method of 10,000 letters', refused, { method: 'P'.repeat(10_000) }),
    attempt('a mutation by GET', '405 BAD_REQUEST', {
      method: 'GET',
      target: `/graphql?query=${encodeURIComponent('mutation { __typename }')}`,
      headers: preflighted,
    }),
    attempt('X-HTTP-Method-Override', '405 BAD_REQUEST', {
      method: 'PUT',
      headers: { 'x-http-method-override': 'POST' },
      body,
    }),
    attempt('a query by GET', '200 data', { method: 'GET', target: get, headers: preflighted }),
  ]
}

function mediaTypes(attempt: Make): Attempt[] {
  const types = {
    'text/plain': 'text/plain',
    'a form': 'application/x-www-form-urlencoded',
    'a form in parts': 'multipart/form-data; boundary=x',
    'application/graphql': 'application/graphql',
    'application/jsonp': 'application/jsonp',
    'a type of 8,000 letters': 'x'.repeat(8_000),
    'a type of nothing': '/',
    'charset utf-16': 'application/json; charset=utf-16',
    'charset latin1': 'application/json; charset=iso-8859-1',
    'a boundary on JSON': 'application/json; boundary=x',
    'no type': undefined,
    'two types': ['application/json', 'text/plain'],
  }
  const accepts = {
    'image/png': '406 BAD_REQUEST',
    'application/json;q=0': '406 BAD_REQUEST',
    'application/xml, text/csv;q=0.1': '406 BAD_REQUEST',
    'text/html': '406 BAD_REQUEST',
    [many(800, 'a/b;q=0.1', ',')]: '406 BAD_REQUEST',
    [';,='.repeat(2_600)]: '406 BAD_REQUEST',
    '*/*;q=0.1, garbage;;;': '200 data',
    'application/graphql-response+json': '200 data',
  }
  return [
    ...Object.entries(types).map(([what, type]) =>
      attempt(`content type: ${what}`, Array.isArray(type) ? refused : '415 BAD_REQUEST', {
        headers: { 'content-type': type },
        body,
      }),
    ),
    ...['gzip', 'br', 'identity, gzip', 'x'].map((encoding) =>
      attempt(`content encoding ${encoding}`, '415 BAD_REQUEST', { headers: { 'content-encoding': encoding }, body }),
    ),
    ...Object.entries(accepts).map(([accept, expected]) =>
      attempt(`accept ${accept.slice(0, 40)}`, expected, { headers: { accept }, body }),
    ),
    attempt('accept twice', '200 data', { headers: { accept: ['image/png', 'application/json'] }, body }),
  ]
}

function origins(attempt: Make): Attempt[] {
  const origin = 'https://evil.example'
  const preflight = (headers: RawRequest['headers']) => ({ method: 'OPTIONS', headers: { origin, ...headers } })
  return [
    attempt('CSRF: GET without a preflight', refused, { method: 'GET', target: get, headers: { origin } }),
    attempt('CSRF: GET with an empty header for a preflight', refused, {
      method: 'GET',
      target: get,
      headers: { 'apollo-require-preflight': '' },
    }),
    attempt('CSRF: POST of text', '415 BAD_REQUEST', { headers: { origin, 'content-type': 'text/plain' }, body }),
    attempt('CSRF: POST of a form', '415 BAD_REQUEST', {
      headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
      body,
    }),
    attempt('CSRF: POST of text that names JSON', '415 BAD_REQUEST', {
      headers: { origin, 'content-type': 'text/plain; application/json' },
      body,
    }),
    attempt('CORS: preflight of a foreign origin', '204 -', preflight({ 'access-control-request-method': 'POST' })),
    attempt('CORS: preflight without a method', '204 -', preflight({})),
    attempt(
      'CORS: preflight with odd headers',
      '204 -',
      preflight({
        'access-control-request-method': 'x'.repeat(500),
        'access-control-request-headers': '\x80\xff, ,,,',
      }),
    ),
    attempt('CORS: an origin of null', '204 -', preflight({ origin: 'null', 'access-control-request-method': 'POST' })),
    attempt('CORS: a foreign origin', '200 data', { headers: { origin }, body }),
    attempt('OPTIONS without an origin', '204 -', { method: 'OPTIONS' }),
    attempt('OPTIONS *', '404 NOT_FOUND', { method: 'OPTIONS', target: '*' }),
  ]
}

function addresses(attempt: Make): Attempt[] {
  const by = (target: string) => ({ method: 'GET', target, headers: preflighted })
  return [
    attempt('an address of 100 KB', '431 BAD_REQUEST', by(`${get}${'x'.repeat(100_000)}`)),
    attempt('a query by GET of 10 KB', '400 GRAPHQL_PARSE_FAILED', by(`/graphql?query=${'%7B'.repeat(3_500)}`)),
    attempt('half an escape', '400 GRAPHQL_PARSE_FAILED', by('/graphql?query=%')),
    attempt('an escape that is not UTF-8', '400 GRAPHQL_PARSE_FAILED', by('/graphql?query=%ff')),
    attempt('half an escape in the path', refused, by('/graphql%')),
    attempt('a query twice', refused, by(`${get}&query=1`)),
    attempt('a query in brackets', refused, by('/graphql?query[]=1')),
    attempt('variables that are no JSON', refused, by(`${get}&variables={`)),
    attempt('variables with a name twice', refused, by(`${get}&variables=${encodeURIComponent('{"a":1,"a":2}')}`)),
    attempt('variables twice', refused, by(`${get}&variables={}&variables={}`)),
    attempt('a parameter of __proto__', '200 data', by(`${get}&__proto__=1&constructor=2`)),
    attempt('5,000 parameters', '200 data', by(`${get}&${many(5_000, 'a', '&')}`)),
    attempt('a path that climbs', '404 NOT_FOUND', by('/graphql/../../etc/passwd')),
    attempt('the explorer, climbing', '404 NOT_FOUND', by('/explorer/..%2f..%2f..%2fpackage.json')),
    attempt('the explorer, climbing in other letters', '403 FORBIDDEN', by('/explorer/%2e%2e/%2e%2e/package.json')),
    attempt('a NUL in the path', '403 FORBIDDEN', by('/explorer/a%00.html')),
    attempt('another path', '404 NOT_FOUND', by('/admin')),
    attempt('an absolute address', '200 data', { target: 'http://evil.example/graphql', body }),
    attempt('no address', refused, by('')),
  ]
}

function identities({ port, account }: Door): Attempt[] {
  const me = '{"query":"{ me { id } }"}'
  const attempt = (what: string, expected: string, headers: NonNullable<RawRequest['headers']>) =>
    ask({ port, account }, what, expected, { headers, body: me })
  const forged = {
    'x-principal': 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.',
    'x-user-id': account.id,
    'x-forwarded-for': '127.0.0.1, 10.0.0.1',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-user': account.id,
    forwarded: 'for=127.0.0.1;host=evil.example',
    'x-timeout-ms': '999999',
    'x-request-id': 'a'.repeat(8_000),
    traceparent: '00-zz-zz-zz',
    'graphql-cost': 'report',
    cookie: `access_token=${account.token}`,
  }
  const credentials = {
    'a token of 8 KB': `Bearer ${'a'.repeat(8_000)}`,
    'a token of 8 KB of points': `Bearer ${'.'.repeat(8_000)}`,
    'a token of nonsense': 'Bearer nonsense',
    'a token with another letter': `Bearer ${account.token.slice(0, -4)}AAAA`,
    'another scheme': 'Basic YTpi',
    nothing: 'Bearer ',
    spaces: 'Bearer       x',
  }
  return [
    ...Object.entries(forged).map(([name, value]) =>
      attempt(`forged ${name}`, '200 UNAUTHENTICATED', { [name]: value }),
    ),
    ...Object.entries(credentials).map(([what, authorization]) =>
      attempt(`credentials: ${what}`, '401 UNAUTHENTICATED', { authorization }),
    ),
    attempt('credentials: a token of 60 KB', '431 BAD_REQUEST', { authorization: `Bearer ${'a'.repeat(60_000)}` }),
    attempt('credentials: two', refused, {
      authorization: ['Bearer nonsense', `Bearer ${account.token}`],
    }),
    attempt('control: the token itself', '200 data', { authorization: `Bearer ${account.token}` }),
  ]
}
