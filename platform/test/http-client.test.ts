import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import { runWithContext } from '../context.ts'
import type { ServiceError } from '../errors.ts'
import { createHttpClient, type HttpClient } from '../http-client.ts'

/** Another party, on a real connection, whose answer each test sets. */
let server: Server
let answer: (request: IncomingMessage, response: ServerResponse, attempt: number) => void
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]
let client: HttpClient

before(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body })
    answer(request, response, seen.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  client = createHttpClient({
    name: 'bank',
    url: `http://127.0.0.1:${port}/v1`,
    headers: { authorization: 'Bearer key' },
    timeout: 5_000,
    answerLimit: 1_000,
  })
})
beforeEach(() => {
  seen = []
})
after(async () => {
  await client.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const thing = z.object({ id: z.string() })
const read = { method: 'GET', path: '/things/1', answer: thing, idempotent: true } as const
const write = { method: 'POST', path: '/things', body: '{"id":"1"}', answer: thing, idempotent: false } as const

const says = (status: number, body: unknown) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

test('a call carries its method, path, headers and body, and returns what the answer says', async () => {
  answer = says(200, { id: 'a', more: 'dropped' })
  assert.deepEqual(await client.ask({ ...write, headers: { 'x-one': '1' } }), { id: 'a' })
  const [request] = seen
  assert.equal(`${request?.method} ${request?.url} ${request?.body}`, 'POST /v1/things {"id":"1"}')
  assert.equal(request?.headers.authorization, 'Bearer key')
  assert.equal(request?.headers['x-one'], '1')
})

test('an answer that is not what it should be is a failure that names no values', async () => {
  answer = says(200, { id: 4242 })
  await assert.rejects(client.ask(read), { message: 'The answer of bank is not what it should be: id: invalid_type.' })
  answer = (_request, response) => void response.end('secret')
  await assert.rejects(client.ask(read), { message: 'The answer of bank is not JSON.' })
})

test('a refusal is told with its status and made once', async () => {
  answer = says(402, { error: 'declined' })
  await assert.rejects(client.ask(read), { name: 'HttpRefusal', status: 402, body: '{"error":"declined"}' })
  assert.equal(seen.length, 1)
})

test('a redirect is not followed', async () => {
  answer = (_request, response) => void response.writeHead(307, { location: '/elsewhere' }).end()
  await assert.rejects(client.ask(read), { name: 'HttpRefusal', status: 307 })
  assert.equal(seen.length, 1)
})

test('an answer that is too large is cut off', async () => {
  answer = (_request, response) => void response.end('x'.repeat(5_000))
  await assert.rejects(client.ask(read), { message: 'The answer of bank is larger than 1000 bytes.' })
})

describe('an idempotent call is made again', () => {
  test('after a "not now"', async () => {
    answer = (request, response, attempt) => says(attempt < 3 ? 503 : 200, { id: 'late' })(request, response)
    assert.deepEqual(await client.ask(read), { id: 'late' })
    assert.equal(seen.length, 3)
  })
  test('after a connection that broke', async () => {
    answer = (request, response, attempt) =>
      attempt < 2 ? void request.socket.destroy() : says(200, { id: 'b' })(request, response)
    assert.deepEqual(await client.ask(read), { id: 'b' })
  })
  test('three times at the most', async () => {
    answer = says(429, {})
    await assert.rejects(client.ask(read), { code: 'SUBGRAPH_UNAVAILABLE' })
    assert.equal(seen.length, 3)
  })
})

test('how long a busy side asks to wait is told, in seconds, and no repeat is made sooner', async () => {
  for (const [header, retryAfter] of [
    ['120', 120],
    [new Date(Date.now() + 3_600_000).toUTCString(), 3_600],
    ['999999999', 86_400],
    ['soon', 1],
    ['0', 1],
  ] as const) {
    answer = (_request, response) => void response.writeHead(429, { 'retry-after': header }).end()
    await assert.rejects(client.tell(write), (error: ServiceError) => {
      assert.ok(Math.abs((error.details.retryAfter ?? 0) - retryAfter) <= 1, header)
      return error.code === 'SUBGRAPH_UNAVAILABLE'
    })
  }
  seen = []
  answer = (_request, response) => void response.writeHead(503, { 'retry-after': '120' }).end()
  await assert.rejects(client.ask(read), { code: 'SUBGRAPH_UNAVAILABLE' })
  assert.equal(seen.length, 1)
})

test('bytes are sent as they are, and a name is resolved as the client says', async () => {
  const { port } = server.address() as AddressInfo
  const asked: string[] = []
  const named = createHttpClient({
    name: 'bank',
    url: `http://bank.test:${port}`,
    lookup: (hostname, _options, callback) => {
      asked.push(hostname)
      callback(null, [{ address: '127.0.0.1', family: 4 }])
    },
  })
  answer = says(200, {})
  await named.tell({ ...write, body: Uint8Array.of(1, 2, 3) })
  assert.equal(seen[0]?.body, '\x01\x02\x03')
  assert.deepEqual(asked, ['bank.test'])
  await named.close()
})

test('any other call is made once, whatever becomes of it', async () => {
  answer = says(503, {})
  await assert.rejects(client.tell(write), { code: 'SUBGRAPH_UNAVAILABLE' })
  answer = (request) => void request.socket.destroy()
  await assert.rejects(client.tell(write), { code: 'SUBGRAPH_UNAVAILABLE' })
  assert.equal(seen.length, 2)
})

describe('a call ends', () => {
  test('at its own deadline', async () => {
    answer = () => {}
    const { port } = server.address() as AddressInfo
    const hasty = createHttpClient({ name: 'bank', url: `http://127.0.0.1:${port}`, timeout: 50 })
    await assert.rejects(hasty.ask(read), { code: 'SUBGRAPH_TIMEOUT' })
    await hasty.close()
  })
  test("at its caller's deadline, also while an answer trickles in", async () => {
    answer = (_request, response) => void response.write('{')
    const context = { traceparent: '', deadline: Date.now() + 1_000 }
    await assert.rejects(
      runWithContext(context, () => client.ask(read)),
      { code: 'SUBGRAPH_TIMEOUT' },
    )
    assert.equal(seen.length, 1)
  })
  test('when its signal says so, with the reason', async () => {
    const stop = new AbortController()
    const reason = new Error('not wanted any more')
    answer = () => stop.abort(reason)
    await assert.rejects(client.ask({ ...read, signal: stop.signal }), reason)
  })
})

test('what nothing listens for cannot be reached', async () => {
  const nobody = createHttpClient({ name: 'bank', url: 'http://127.0.0.1:1', timeout: 5_000 })
  await assert.rejects(nobody.tell(write), { code: 'SUBGRAPH_UNAVAILABLE' })
  await nobody.close()
})
