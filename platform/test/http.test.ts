import assert from 'node:assert/strict'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../errors.ts'
import { createHealth } from '../health.ts'
import { createHttpServer } from '../http.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { createMetrics } from '../metrics.ts'

const metrics = createMetrics({ service: 'things' })

let app: FastifyInstance
before(async () => {
  app = createHttpServer({
    lifecycle: { ready: true, stopping: false, onStop() {} },
    health: createHealth([]),
    mask: createMask({ service: 'things', log }),
    metrics,
    bodyLimit: 1_000,
    receiveTimeout: 1_500,
  })
  app.post('/', (_request, reply) => reply.send({}))
  app.get('/broken', () => Promise.reject(new Error('password=secret')))
  app.get('/limited', () => Promise.reject(new ServiceError('RATE_LIMITED', 'Too many.', { retryAfter: 17 })))
  await app.listen({ host: '127.0.0.1', port: 0 })
})
after(() => app.close())

/** Sends bytes as they are and returns what comes back until the server closes the connection. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

async function refusal(bytes: string): Promise<[status: number, code: string]> {
  const answer = await exchange(bytes)
  const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
  return [Number(answer.split(' ')[1]), body.errors[0].extensions.code]
}

describe('every refusal is an error in the shape of GraphQL', () => {
  const close = 'host: a\r\nconnection: close\r\n'
  const cases: Record<string, [bytes: string, status: number, code: string]> = {
    'an unknown path': [`GET /nothing HTTP/1.1\r\n${close}\r\n`, 404, 'NOT_FOUND'],
    'a path that is none': [`GET /% HTTP/1.1\r\n${close}\r\n`, 400, 'BAD_REQUEST'],
    'a failing handler': [`GET /broken HTTP/1.1\r\n${close}\r\n`, 500, 'INTERNAL_SERVER_ERROR'],
    'a body that is too large': [
      `POST / HTTP/1.1\r\n${close}content-type: application/json\r\ncontent-length: 2000\r\n\r\n`,
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    'headers that are too large': [`GET / HTTP/1.1\r\n${close}x: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'BAD_REQUEST'],
    'what is not HTTP': ['nonsense\r\n\r\n', 400, 'BAD_REQUEST'],
    'a body that does not arrive': [
      `POST / HTTP/1.1\r\n${close}content-type: application/json\r\ncontent-length: 10\r\n\r\n{`,
      408,
      'BAD_REQUEST',
    ],
    'headers that do not arrive': ['GET / HTTP/1.1\r\nhost: a\r\n', 408, 'BAD_REQUEST'],
  }
  for (const [what, [bytes, status, code]] of Object.entries(cases)) {
    test(what, { timeout: 60_000 }, async () => assert.deepEqual(await refusal(bytes), [status, code]))
  }
})

test('a refusal that knows when to come back says so in Retry-After', async () => {
  const { statusCode, headers } = await app.inject('/limited')
  assert.deepEqual([statusCode, headers['retry-after']], [429, '17'])
})

test('/metrics has what was counted, what Node tells of the process, and the name of the service', async () => {
  metrics.counter('things_total', 'Things.', ['kind']).inc({ kind: 'small' }, 2)
  const { headers, body } = await app.inject('/metrics')
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
  assert.match(body, /^things_total\{kind="small",service="things"\} 2$/m)
  assert.match(body, /^process_cpu_seconds_total\{service="things"\} [\d.]+$/m)
})

test('every process has a registry of its own, also where several live in one test', async () => {
  const other = createMetrics({ service: 'others' })
  other.counter('things_total', 'Things.')
  assert.doesNotMatch(await other.text(), /small/)
})

test('whoever sends a body that is too large sees why, and does not just lose the connection', async () => {
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`
  const body = JSON.stringify('x'.repeat(1_000_000))
  for (let n = 0; n < 50; n++) {
    const { status } = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    assert.equal(status, 413)
  }
})
