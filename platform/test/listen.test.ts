import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createHealth } from '../health.ts'
import { createHttpServer } from '../http.ts'
import { listen } from '../listen.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { stoppable } from './stopping.ts'

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop()
})

/** A server whose `/slow` is answered when `finish` is called. */
async function startServer({ shutdownDelay = 0, drainLimit = 5_000 } = {}) {
  const { lifecycle, stop } = stoppable()
  const slow = Promise.withResolvers<void>()
  const mask = createMask({ service: 'things', log })
  const app = createHttpServer({ lifecycle, health: createHealth([]), mask, bodyLimit: 1_000 })
  let begun = 0
  app.get('/slow', async () => {
    begun += 1
    await slow.promise
    return {}
  })
  app.post('/', (_request, reply) => reply.send({}))
  await listen(app, { host: '127.0.0.1', port: 0, shutdownDelay, lifecycle, drainLimit })
  const { port } = app.server.address() as AddressInfo
  let stopped = false
  let stopping: Promise<void> | undefined
  const server = {
    port,
    begun: () => begun,
    finish: slow.resolve,
    listening: () => app.server.listening,
    stopped: () => stopped,
    stop(orderly = true) {
      slow.resolve()
      return server.beginStop(orderly)
    },
    beginStop(orderly = true) {
      stopping ??= stop(orderly).then(() => {
        stopped = true
      })
      return stopping
    },
  }
  running.push(server)
  return server
}

/** A connection, and what came over it. */
async function open(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const answers = () => text.split('HTTP/1.1 ').slice(1)
  return {
    socket,
    send: (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`),
    answer: (n: number) => waitFor(`answer ${n}`, () => answers()[n - 1]),
    answers,
    closed: () => waitFor('the end of the connection', () => socket.closed),
  }
}

test('a request under way is answered after the stop began, and its answer ends the connection', async () => {
  const server = await startServer()
  const client = await open(server.port)
  client.send('/slow')
  await waitFor('the request', () => server.begun() === 1)
  const stopped = server.beginStop()
  await waitFor('no new connections', () => !server.listening())
  assert.equal(server.stopped(), false)
  server.finish()
  assert.match(await client.answer(1), /^200 OK[\s\S]*connection: close/i)
  await client.closed()
  await stopped
})

test('callers are served until the delay is over, on new connections and on kept ones, which then end', async () => {
  const server = await startServer({ shutdownDelay: 3_000 })
  const kept = await open(server.port)
  kept.send('/health/live')
  assert.match(await kept.answer(1), /^200 OK[\s\S]*connection: keep-alive/i)
  const start = performance.now()
  const stopped = server.beginStop()
  for (const client of [kept, await open(server.port)]) {
    client.send('/health/live')
    assert.match(await client.answer(client === kept ? 2 : 1), /^200 OK[\s\S]*connection: close/i)
    await client.closed()
  }
  const last = await open(server.port)
  last.send('/health/ready')
  assert.match(await last.answer(1), /^503 /)
  await stopped
  assert.ok(performance.now() - start >= 2_990)
  await assert.rejects(open(server.port), { code: 'ECONNREFUSED' })
})

test('after a failure callers are given no time', async () => {
  const server = await startServer({ shutdownDelay: 60_000 })
  await server.beginStop(false)
})

test('a request on a connection that was made just before no more were taken is answered', async () => {
  const server = await startServer()
  const client = await open(server.port)
  const stopped = server.beginStop()
  await waitFor('no new connections', () => !server.listening())
  client.send('/health/live')
  assert.match(await client.answer(1), /^200 OK[\s\S]*connection: close/i)
  await client.closed()
  await stopped
})

for (const [what, prepare] of Object.entries({
  'that was never used': async () => {},
  'that is idle': async ({ send, answer }: Awaited<ReturnType<typeof open>>) => {
    send('/health/live')
    await answer(1)
  },
})) {
  test(`a connection ${what} does not hold up the stop`, async () => {
    const server = await startServer({ drainLimit: 60_000 })
    const client = await open(server.port)
    await prepare(client)
    await server.beginStop()
    await client.closed()
  })
}

test('a client that does not finish its request holds up the stop for as long as the limit says, and no longer', async () => {
  const server = await startServer({ drainLimit: 700 })
  const client = await open(server.port)
  client.socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{')
  await waitFor('its bytes', () => client.socket.bytesWritten > 0)
  const start = performance.now()
  await server.beginStop()
  assert.ok(performance.now() - start >= 690)
  await client.closed()
})
