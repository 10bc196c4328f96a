import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { Server, ServerCredentials, type sendUnaryData, status } from '@grpc/grpc-js'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { continueTrace, runWithContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createPeer } from '../grpc/client.ts'
import { loadService } from '../grpc/service.ts'
import { CallerRefused, toRpcError } from '../grpc/status.ts'

/** What an instance does with a call. `die`: its connections end with the call under way, and it is gone. */
type Way = 'answer' | 'die' | 'unavailable' | 'refuse' | 'turn away' | 'silence'

const service = loadService<Pick<UserServiceDefinition, 'GetUser' | 'CreateUser'>>('users.v1.UserService')
const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

/** An instance of a peer, on a real port. */
async function startInstance(way: Way = 'answer') {
  const [port = 0] = await freePorts(1)
  let server = new Server()
  const instance = {
    way,
    address: `127.0.0.1:${port}`,
    calls: 0,
    async start() {
      server = new Server()
      server.addService(service, { GetUser: handle, CreateUser: handle })
      await new Promise<void>((resolve, reject) =>
        server.bindAsync(instance.address, ServerCredentials.createInsecure(), (error) =>
          error ? reject(error) : resolve(),
        ),
      )
    },
    stop: () => server.forceShutdown(),
  }
  function handle(_call: unknown, answer: sendUnaryData<unknown>): void {
    instance.calls += 1
    if (instance.way === 'answer') answer(null, { id: 'u1', name: 'Eve', email: 'eve@example.com', locale: 'en' })
    if (instance.way === 'die') server.forceShutdown()
    if (instance.way === 'unavailable') answer({ code: status.UNAVAILABLE })
    if (instance.way === 'turn away') answer(toRpcError(new CallerRefused('UNAUTHENTICATED', 'Unknown key.')))
    if (instance.way === 'refuse') answer(toRpcError(new ServiceError('SUBGRAPH_UNAVAILABLE', 'No database.')))
  }
  await instance.start()
  running.push({ close: instance.stop })
  return instance
}

function peerAt(...instances: { address: string }[]) {
  const addresses = instances.map(({ address }) => address)
  const peer = createPeer({ name: 'users', service, addresses, serviceToken: async () => 'x' })
  running.push(peer)
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => 'answered',
      ({ code }: ServiceError) => code,
    )
  return {
    getUser: () => codeOf(peer.rpcs.getUser({ id: 'u1' })),
    createUser: () => codeOf(peer.rpcs.createUser({ name: 'Eve', email: 'eve@example.com', password: 'x' })),
    check: peer.check,
  }
}

describe('a call that the first instance did not answer is made at the second, when its contract says that it may be', () => {
  for (const way of ['die', 'unavailable'] as const) {
    test(way, async () => {
      const [failing, working] = [await startInstance(way), await startInstance()]
      assert.equal(await peerAt(failing, working).getUser(), 'answered')
      assert.deepEqual([failing.calls, working.calls], [1, 1])
    })
  }
})

describe('a call that may have been carried out is not made again, when its contract does not say that it may be', () => {
  for (const way of ['die', 'unavailable'] as const) {
    test(way, async () => {
      const [failing, working] = [await startInstance(way), await startInstance()]
      assert.equal(await peerAt(failing, working).createUser(), 'SUBGRAPH_UNAVAILABLE')
      assert.deepEqual([failing.calls, working.calls], [1, 0])
    })
  }
})

test('an instance that refuses the connection costs no call, and is found when it is back', async () => {
  const [returning, working] = [await startInstance(), await startInstance()]
  returning.stop()
  const peer = peerAt(returning, working)
  for (let n = 0; n < 10; n++) assert.equal(await peer.createUser(), 'answered')
  assert.deepEqual([returning.calls, working.calls], [0, 10])
  await returning.start()
  await waitFor('the instance to be tried again', async () => {
    assert.equal(await peer.createUser(), 'answered')
    return returning.calls > 0
  })
})

test('an instance that turns the calling service away costs no call, and is found when it does so no longer', async () => {
  const [turning, working] = [await startInstance('turn away'), await startInstance()]
  const peer = peerAt(turning, working)
  for (let n = 0; n < 10; n++) assert.equal(await peer.createUser(), 'answered')
  assert.equal(working.calls, 10)
  const before = turning.calls
  turning.way = 'answer'
  await waitFor('the instance to be tried again', async () => {
    assert.equal(await peer.createUser(), 'answered')
    return turning.calls > before
  })
})

test('an instance that stops between two calls costs none', async () => {
  const [stopping, working] = [await startInstance(), await startInstance()]
  const peer = peerAt(stopping, working)
  for (let n = 0; n < 4; n++) assert.equal(await peer.createUser(), 'answered')
  stopping.stop()
  await waitFor('the end of the connection', async () => {
    assert.equal(await peer.getUser(), 'answered')
    return working.calls >= 10
  })
  assert.equal(await peer.createUser(), 'answered')
  assert.equal(stopping.calls, 2)
})

test('a port behind which nobody speaks gRPC is refused, within the time of the call', async () => {
  const sockets: Socket[] = []
  const mute = createServer((socket) => void sockets.push(socket.on('error', () => {})))
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  running.push({
    close() {
      mute.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  const address = `127.0.0.1:${(mute.address() as { port: number }).port}`
  const working = await startInstance()
  const peer = peerAt({ address }, working)
  assert.equal(
    await runWithContext({ ...continueTrace({}), deadline: Date.now() + 5_000 }, peer.createUser),
    'answered',
  )
  assert.equal(working.calls, 1)
})

test("a peer's own refusal, and one that is slow, is not called again", async () => {
  const [refusing, working] = [await startInstance('refuse'), await startInstance()]
  assert.equal(await peerAt(refusing, working).getUser(), 'SUBGRAPH_UNAVAILABLE')
  const slow = await startInstance('silence')
  const soon = { ...continueTrace({}), deadline: Date.now() + 1_000 }
  assert.equal(await runWithContext(soon, peerAt(slow, working).getUser), 'SUBGRAPH_TIMEOUT')
  assert.deepEqual([refusing.calls, slow.calls, working.calls], [1, 1, 0])
})

test('calls go to the instances in turn', async () => {
  const instances = [await startInstance(), await startInstance(), await startInstance()]
  const peer = peerAt(...instances)
  for (let n = 0; n < 30; n++) assert.equal(await peer.getUser(), 'answered')
  assert.deepEqual(
    instances.map(({ calls }) => calls),
    [10, 10, 10],
  )
})
