import assert from 'node:assert/strict'
import { createServer, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { Late } from '../http-exchange.ts'
import { createHttpPool, type HttpPool } from '../http-pool.ts'

let held: Http2ServerResponse[] = []
let sessions = 0
const server = createServer((request, response) => {
  request.resume().on('end', () => held.push(response))
})
server.on('session', () => {
  sessions += 1
})
let pool: HttpPool
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  pool = createHttpPool(`http://127.0.0.1:${port}`, { answerLimit: 100_000, http2: true })
})
beforeEach(() => {
  held = []
})
after(async () => {
  await pool.close()
  server.close()
})
const call = { path: '/', headers: ['content-type', 'application/json'], body: '{}', time: 10_000 }

test('with HTTP/2 calls that are made at once share one connection, without TLS too', async () => {
  const answers = Array.from({ length: 50 }, () => pool.exchange(call))
  await waitFor('all of them', () => held.length === 50)
  for (const response of held) response.end('{"a":"ä"}')
  for (const { status, text } of await Promise.all(answers)) assert.deepEqual([status, text], [200, '{"a":"ä"}'])
  assert.equal(sessions, 1)
})

test('with HTTP/2 a call that is late ends alone, and not the others of its connection', async () => {
  const patient = pool.exchange(call)
  await waitFor('the first', () => held.length === 1)
  await assert.rejects(pool.exchange({ ...call, time: 50 }), Late)
  held[0]?.end('{}')
  assert.equal((await patient).text, '{}')
})
