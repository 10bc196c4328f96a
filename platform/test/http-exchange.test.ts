import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createDeparture } from '../departure.ts'
import { Late } from '../http-exchange.ts'
import { createHttpPool } from '../http-pool.ts'

let answer: (response: ServerResponse) => void = () => {}
let received = 0
let closed = 0
const server = createServer((request, response) => {
  received += 1
  response.on('close', () => {
    if (!response.writableFinished) closed += 1
  })
  request.resume().on('end', () => answer(response))
})
let origin: string
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
})
const call = { path: '/', headers: ['a', 'b'], body: '{}', time: 5_000 }

test('an answer in pieces is read as one text, whatever letters the pieces end in, without its byte order mark', async () => {
  const pool = createHttpPool(origin, { answerLimit: 1_000 })
  const bytes = Buffer.from('\ufeff{"a":"größer €"}')
  for (const size of [1, 3, 100]) {
    answer = async (response) => {
      for (let at = 0; at < bytes.length; at += size) {
        await new Promise<void>((resolve) => response.write(bytes.subarray(at, at + size), () => resolve()))
      }
      response.end()
    }
    const { status, text } = await pool.exchange(call)
    assert.deepEqual([status, text], [200, '{"a":"größer €"}'])
  }
  await pool.close()
})

test('a call that is late ends with Late, also in the midst of its answer, and its connection with it', async () => {
  const pool = createHttpPool(origin, { answerLimit: 1_000 })
  for (const silent of [() => {}, (response: ServerResponse) => void response.write('{')]) {
    closed = 0
    answer = silent
    await assert.rejects(pool.exchange({ ...call, time: 1_000 }), Late)
    await waitFor('the end of its connection', () => closed === 1)
  }
  await pool.close()
})

test('a call ends with the departure of whoever waits, with its reason', async () => {
  const pool = createHttpPool(origin, { answerLimit: 1_000 })
  answer = () => {}
  closed = received = 0
  const { signal, leave } = createDeparture()
  const gone = new Error('gone')
  const first = assert.rejects(pool.exchange({ ...call, signal }), gone)
  await waitFor('the call', () => received === 1)
  leave(gone)
  await first
  await waitFor('the end of its connection', () => closed === 1)
  await assert.rejects(pool.exchange({ ...call, signal }), gone)
  assert.equal(received, 1)
  await pool.close()
})

test('a call that is late before it has a connection is never sent', async () => {
  const pool = createHttpPool(origin, { connections: 1, answerLimit: 1_000 })
  let first: ServerResponse | undefined
  received = 0
  answer = (response) => {
    if (first) response.end('{}')
    else first = response
  }
  const slow = pool.exchange(call)
  await waitFor('the first call', () => first !== undefined)
  await assert.rejects(pool.exchange({ ...call, time: 20 }), Late)
  first?.end('{}')
  await slow
  await pool.exchange(call)
  assert.equal(received, 2)
  await pool.close()
})
