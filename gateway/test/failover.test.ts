import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { createForwarder, type Forwarder } from '../forward.ts'
import { createWebhookForwarder } from '../http/webhooks.ts'
import { ask } from './ask.ts'

/** What an instance does with whoever comes. */
type Way =
  | 'answer'
  | 'reset at once'
  | 'reset at the first byte'
  | 'reset after the request'
  | '503'
  | '500'
  | 'half an answer'
  | 'silence'

const breaking = ['reset at the first byte', 'reset after the request', '503', 'half an answer'] as const

type Instance = {
  way: Way
  url: string
  /** Connections and whole requests that came. */
  connections: number
  requests: number
  stop(): Promise<void>
  start(): Promise<void>
}

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

/** An instance of a subgraph, on a real port. */
async function startInstance(way: Way = 'answer'): Promise<Instance> {
  let server: Server
  let port = 0
  const instance: Instance = {
    way,
    url: '',
    connections: 0,
    requests: 0,
    async start() {
      server = createServer((request, response) => {
        request.resume().on('end', () => {
          instance.requests += 1
          respond(instance.way, response)
        })
      })
      server.on('connection', (socket) => {
        instance.connections += 1
        if (instance.way === 'reset at once') socket.resetAndDestroy()
        if (instance.way === 'reset at the first byte') socket.prependListener('data', () => socket.resetAndDestroy())
      })
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      port = (server.address() as AddressInfo).port
      instance.url = `http://127.0.0.1:${port}/graphql`
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  await instance.start()
  running.push({ close: () => instance.stop() })
  return instance
}

function respond(way: Way, response: ServerResponse): void {
  const cut = () => response.socket?.resetAndDestroy()
  if (way === 'silence') return
  if (way === 'reset after the request') {
    cut()
    return
  }
  const status = way === '503' || way === '500' ? Number(way) : 200
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': 19 })
  if (way === 'half an answer') response.write('{"data":', cut)
  else response.end('{"data":{"a":true}}')
}

function forwarderTo(...instances: Instance[]): Forwarder {
  return hastyForwarderTo(5_000, ...instances)
}

function hastyForwarderTo(timeout: number, ...instances: Instance[]): Forwarder {
  const forwarder = createForwarder({ name: 'things', urls: instances.map(({ url }) => url), timeout, log })
  running.push(forwarder)
  return forwarder
}

/** Fetches once. The code of the error, or that it was answered. */
async function outcome(forwarder: Forwarder, query: string, deadline = Date.now() + 10_000): Promise<string> {
  const context = { requestId: 'r', ...continueTrace({}), deadline }
  const { errors } = await ask(forwarder, { query }, context)
  return String(errors?.[0]?.extensions?.code ?? 'answered')
}

const query = 'query Q{a}'
const mutation = 'mutation M{a}'

describe('a query whose first instance fails on the way is answered by the second', () => {
  for (const way of breaking) {
    test(way, async () => {
      const [failing, working] = [await startInstance(way), await startInstance()]
      assert.equal(await outcome(forwarderTo(failing, working), query), 'answered')
      assert.equal(failing.connections, 1)
      assert.equal(working.requests, 1)
    })
  }
})

describe('a mutation that may have been executed is not sent again', () => {
  for (const way of breaking) {
    test(way, async () => {
      const [failing, working] = [await startInstance(way), await startInstance()]
      assert.equal(await outcome(forwarderTo(failing, working), mutation), 'SUBGRAPH_UNAVAILABLE')
      assert.equal(failing.connections, 1)
      assert.equal(working.requests, 0)
    })
  }
})

test('a connection that is reset before anything was sent on it may count as refused: a mutation is sent once at the most', async () => {
  for (let n = 0; n < 20; n++) {
    const [failing, working] = [await startInstance('reset at once'), await startInstance()]
    const forwarder = forwarderTo(failing, working)
    const answered = (await outcome(forwarder, mutation)) === 'answered'
    assert.deepEqual([failing.requests, working.requests], [0, answered ? 1 : 0])
    assert.equal(await outcome(forwarder, query), 'answered')
  }
})

test('on a connection that is kept and was used before, the same is so', async () => {
  for (const [operation, expected] of [
    [query, 'answered'],
    [mutation, 'SUBGRAPH_UNAVAILABLE'],
  ] as const) {
    const [failing, working] = [await startInstance(), await startInstance()]
    const forwarder = forwarderTo(failing, working)
    for (let n = 0; n < 2; n++) assert.equal(await outcome(forwarder, operation), 'answered')
    failing.way = 'reset after the request'
    assert.equal(await outcome(forwarder, operation), expected)
    assert.deepEqual([failing.connections, failing.requests], [1, 2])
    assert.equal(working.requests, expected === 'answered' ? 2 : 1)
  }
})

test('an instance that refuses the connection costs neither queries nor mutations, and one attempt', async () => {
  const [refusing, working] = [await startInstance(), await startInstance()]
  await refusing.stop()
  const forwarder = forwarderTo(refusing, working)
  for (let n = 0; n < 20; n++) assert.equal(await outcome(forwarder, n % 2 === 0 ? mutation : query), 'answered')
  assert.equal(working.requests, 20)
  assert.equal(refusing.requests, 0)
})

test('an instance that is back gets its share again', async () => {
  const [returning, working] = [await startInstance(), await startInstance()]
  await returning.stop()
  const forwarder = forwarderTo(returning, working)
  assert.equal(await outcome(forwarder, mutation), 'answered')
  await returning.start()
  await waitFor('the instance to be tried again', async () => {
    assert.equal(await outcome(forwarder, mutation), 'answered')
    return returning.requests > 0
  })
  const before = [returning.requests, working.requests]
  for (let n = 0; n < 10; n++) await outcome(forwarder, query)
  assert.deepEqual([returning.requests, working.requests], [(before[0] ?? 0) + 5, (before[1] ?? 0) + 5])
})

test('where all instances refuse, it is SUBGRAPH_UNAVAILABLE, until the first is back', async () => {
  const [one, other] = [await startInstance(), await startInstance()]
  await Promise.all([one.stop(), other.stop()])
  const forwarder = forwarderTo(one, other)
  for (let n = 0; n < 5; n++) assert.equal(await outcome(forwarder, query), 'SUBGRAPH_UNAVAILABLE')
  await other.start()
  await waitFor('the instance to be found', async () => (await outcome(forwarder, mutation)) === 'answered')
  assert.equal(other.requests, 1)
})

test('a query is made again once, and not more often', async () => {
  const instances = await Promise.all([startInstance('503'), startInstance('503'), startInstance('503')])
  assert.equal(await outcome(forwarderTo(...instances), query), 'SUBGRAPH_UNAVAILABLE')
  assert.deepEqual(
    instances.map(({ requests }) => requests),
    [1, 1, 0],
  )
})

test('a single instance is asked again itself', async () => {
  const only = await startInstance('503')
  assert.equal(await outcome(forwarderTo(only), query), 'SUBGRAPH_UNAVAILABLE')
  assert.equal(only.requests, 2)
})

test('a bug of a subgraph, or a slow one, is not asked again', async () => {
  const [failing, working] = [await startInstance('500'), await startInstance()]
  assert.equal(await outcome(forwarderTo(failing, working), query), 'SUBGRAPH_UNAVAILABLE')
  const slow = await startInstance('silence')
  assert.equal(await outcome(hastyForwarderTo(1_000, slow, working), query), 'SUBGRAPH_TIMEOUT')
  assert.equal(await outcome(hastyForwarderTo(1_000, slow, working), mutation), 'SUBGRAPH_TIMEOUT')
  assert.deepEqual([failing.requests, slow.requests, working.requests], [1, 2, 0])
})

test('a repeat has what is left of the time, not its own', async () => {
  const [failing, slow] = [await startInstance('503'), await startInstance('silence')]
  const start = performance.now()
  const forwarder = hastyForwarderTo(60_000, failing, slow)
  assert.equal(await outcome(forwarder, query, Date.now() + 1_000), 'SUBGRAPH_TIMEOUT')
  assert.ok(performance.now() - start < 30_000)
  assert.equal(slow.requests, 1)
})

test('when everything fails, a tenth more is sent and not twice as much', async () => {
  const [one, other] = [await startInstance('503'), await startInstance('503')]
  const forwarder = forwarderTo(one, other)
  const start = performance.now()
  await Promise.all(Array.from({ length: 300 }, () => outcome(forwarder, query)))
  const floor = Math.ceil((performance.now() - start) / 1_000)
  const sent = one.requests + other.requests
  assert.ok(sent > 300 && sent <= 300 + 30 + 10 + floor, `${sent}`)
})

test('a webhook goes to another instance when nothing was sent, and else comes again from whoever sent it', async () => {
  const [refusing, working] = [await startInstance(), await startInstance()]
  await refusing.stop()
  const urls = [refusing.url, working.url]
  const forwarder = createWebhookForwarder({ name: 'payments', urls, timeout: 5_000, log })
  running.push(forwarder)
  const webhook = { body: Buffer.from('{}'), headers: {} }
  for (let n = 0; n < 4; n++) assert.equal((await forwarder.forward(webhook)).status, 200)
  working.way = 'reset after the request'
  await assert.rejects(forwarder.forward(webhook), { code: 'SUBGRAPH_UNAVAILABLE' })
  assert.equal(working.requests, 5)
})
