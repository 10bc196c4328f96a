import { type Attempt, type Door, many } from './front-door-attempts.ts'
import { exchange, rawRequest } from './front-door-wire.ts'

const refused = '400 BAD_REQUEST'
const body = '{"query":"{ __typename }"}'
const start = 'POST /graphql HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n'
const chunked = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`
const smuggled = rawRequest({ method: 'GET', target: '/admin' }).toString()

/** What is one request to some readers and two to others, and what is no HTTP. */
export function smuggling({ port, account }: Door): Attempt[] {
  const attempt = (what: string, expected: string, ...pieces: string[]) => ({
    what: `wire: ${what}`,
    expected,
    run: () => exchange(port, pieces),
  })
  const length = Buffer.byteLength(body)
  const encodings = ['identity', 'chunked, identity', 'xchunked', 'chunked, chunked', 'gzip, chunked', 'x', '"chunked"']
  const me = (token?: string) =>
    rawRequest({
      headers: { connection: 'keep-alive', ...(token && { authorization: `Bearer ${token}` }) },
      body: '{"query":"{ me { id } }"}',
    })
  const last = rawRequest({ body: '{"query":"{ me { id } }"}' })
  return [
    attempt(
      'CL and TE',
      refused,
      `${start}content-length: ${length}\r\ntransfer-encoding: chunked\r\n\r\n${chunked}${smuggled}`,
    ),
    attempt(
      'TE and CL',
      refused,
      `${start}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${chunked}${smuggled}`,
    ),
    attempt('two lengths', refused, `${start}content-length: ${length}\r\ncontent-length: 5\r\n\r\n${body}`),
    attempt(
      'one length twice',
      refused,
      `${start}content-length: ${length}\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    ...['-1', '+26', '26, 26', '0x1a', '1e1', ' ', '99999999999999999999'].map((value) =>
      attempt(`a length of "${value}"`, refused, `${start}content-length: ${value}\r\n\r\n${body}`),
    ),
    ...encodings.map((value) =>
      attempt(
        `a transfer encoding of ${value}`,
        refused,
        `${start}transfer-encoding: ${value}\r\n\r\n${chunked}${smuggled}`,
      ),
    ),
    attempt('TE twice', refused, `${start}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n${chunked}`),
    attempt('TE before a space', refused, `${start}transfer-encoding : chunked\r\n\r\n${chunked}`),
    attempt(
      'TE behind a tab',
      '200 data',
      `${start}connection: close\r\ntransfer-encoding:\tchunked\r\n\r\n${chunked}`,
    ),
    attempt('TE on a folded line', refused, `${start}transfer-encoding:\r\n chunked\r\n\r\n${chunked}`),
    attempt('TE behind a vertical tab', refused, `${start}transfer-encoding: \x0bchunked\r\n\r\n${chunked}`),
    attempt(
      'chunked as it is meant',
      '200 data',
      `${start}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`,
    ),
    attempt('a chunk of a negative size', refused, `${start}transfer-encoding: chunked\r\n\r\n-1\r\n${body}`),
    attempt('a chunk of 20 digits', refused, `${start}transfer-encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`),
    attempt(
      'a chunk longer than it says',
      refused,
      `${start}transfer-encoding: chunked\r\n\r\n5\r\n${body}\r\n0\r\n\r\n`,
    ),
    attempt(
      '64 KB of chunk extensions',
      refused,
      `${start}transfer-encoding: chunked\r\n\r\n1;${'a'.repeat(65_536)}\r\n{\r\n0\r\n\r\n`,
    ),
    attempt(
      // Nobody knows how much would follow: the connection is closed, and the answer may be lost with it.
      '1 MB in chunks',
      '413 PAYLOAD_TOO_LARGE or closed',
      `${start}transfer-encoding: chunked\r\n\r\n${many(256, `1000\r\n${'{'.repeat(4_096)}\r\n`, '')}0\r\n\r\n`,
    ),
    attempt(
      'a trailer that forges',
      '200 UNAUTHENTICATED',
      `${start}connection: close\r\ntransfer-encoding: chunked\r\n\r\n19\r\n{"query":"{ me { id } }"}\r\n0\r\nauthorization: Bearer ${account.token}\r\n\r\n`,
    ),
    attempt('line feeds alone', refused, `${start.replaceAll('\r', '')}content-length: ${length}\n\n${body}`),
    attempt('carriage returns alone', refused, `${start.replaceAll('\n', '')}content-length: ${length}\r\r${body}`),
    attempt(
      'a line feed in a header',
      refused,
      `${start}x-a: b\nx-principal: c\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt('a NUL in a header', refused, `${start}x-a: b\0c\r\ncontent-length: ${length}\r\n\r\n${body}`),
    attempt('a header without a name', refused, `${start}: b\r\n\r\n`),
    attempt('a header without a colon', refused, `${start}nonsense\r\n\r\n`),
    attempt('a space before the first header', refused, `POST /graphql HTTP/1.1\r\n host: gateway\r\n\r\n`),
    attempt(
      'no host',
      '400 -',
      `POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt(
      'two hosts',
      refused,
      `${start}connection: close\r\nhost: evil.example\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt('HTTP/0.9', refused, 'GET /graphql\r\n\r\n'),
    attempt('HTTP/1.0', '200 data', `${start.replace('1.1', '1.0')}content-length: ${length}\r\n\r\n${body}`),
    attempt('HTTP/3.0', refused, 'GET /graphql HTTP/3.0\r\n\r\n'),
    attempt('the preface of HTTP/2', refused, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    attempt(
      'an upgrade to h2c',
      '200 data',
      `${start}connection: close, upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt(
      'an upgrade to a WebSocket',
      refused,
      'GET /graphql HTTP/1.1\r\nhost: gateway\r\nconnection: close, upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAA\r\n\r\n',
    ),
    attempt(
      'an expectation that nobody has',
      '417 -',
      `${start}connection: close\r\nexpect: more\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt(
      'expect: 100-continue',
      '200 data',
      `${start}connection: close\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`,
      body,
    ),
    attempt('TLS', refused, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    attempt(
      '2,000 headers',
      '431 BAD_REQUEST',
      `${start}${many(2_000, (n) => `x-header-${n}: 1\r\n`, '')}content-length: ${length}\r\n\r\n${body}`,
    ),
    attempt(
      '64 KB of headers',
      '431 BAD_REQUEST',
      `${start}x-a: ${'a'.repeat(65_536)}\r\ncontent-length: ${length}\r\n\r\n${body}`,
    ),
    attempt('1 MB of one header without end', '431 BAD_REQUEST or closed', `${start}x-a: ${'a'.repeat(1_048_576)}`),
    {
      what: 'wire: two requests at once, each with its own identity',
      expected: '200 data, 200 UNAUTHENTICATED, 200 data, 200 UNAUTHENTICATED',
      run: () => exchange(port, [Buffer.concat([me(account.token), me(), me(account.token), last])]),
    },
  ]
}
