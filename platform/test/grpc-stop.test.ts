import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { createPeer } from '../grpc/client.ts'
import { createGrpcServer } from '../grpc/server.ts'
import { loadService } from '../grpc/service.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { createPrincipalVerifier, createServiceTokens, createServiceTokenVerifier } from '../principal.ts'
import { testKeys } from './keys.ts'

const { privateKeys, keys } = await testKeys('gateway', 'orders')
const service = loadService<Pick<UserServiceDefinition, 'CreateUser'>>('users.v1.UserService')
const input = { name: 'Eve', email: 'eve@example.com', password: 'x' }

async function startInstance(port: number, { work = () => sleep(Math.random() * 10), drainLimit = 5_000 } = {}) {
  const server = createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys, audience: 'users' }),
    verifyPrincipal: createPrincipalVerifier({ keys }),
    mask: createMask({ service: 'users', log }),
    drainLimit,
  })
  const instance = { calls: 0, close: server.close }
  server.add(service, {
    CreateUser: {
      callers: ['orders'],
      async handle() {
        instance.calls += 1
        await work()
        return { id: 'u1' }
      },
    },
  })
  await server.listen('127.0.0.1', port)
  return instance
}

function peerAt(ports: readonly number[]) {
  const serviceToken = createServiceTokens({ key: privateKeys.orders })
  return createPeer({ name: 'users', service, addresses: ports.map((port) => `127.0.0.1:${port}`), serviceToken })
}

test('no RPC fails, also none that may not be repeated, while two instances are restarted again and again', async () => {
  const ports = await freePorts(2)
  const instances = await Promise.all(ports.map((port) => startInstance(port)))
  const peer = peerAt(ports)
  let sent = 0
  let done = false
  const failures: unknown[] = []
  const workers = Array.from({ length: 20 }, async () => {
    while (!done) {
      sent += 1
      await peer.rpcs.createUser(input, { limit: 20_000 }).catch(({ cause }) => failures.push(String(cause)))
    }
  })
  for (let n = 0; n < 10; n++) {
    const [instance, port = 0] = [instances[n % 2], ports[n % 2]]
    const before = sent
    await waitFor('calls', () => sent > before + 50)
    await instance?.close()
    const fresh = await startInstance(port)
    instances[n % 2] = fresh
    await waitFor('the instance to be used again', () => fresh.calls > 0)
  }
  done = true
  await Promise.all(workers)
  await peer.close()
  await Promise.all(instances.map(({ close }) => close()))
  assert.deepEqual(failures, [])
})

test('an RPC under way is answered after the stop began, and the next one goes elsewhere', async () => {
  const ports = await freePorts(2)
  const slow = Promise.withResolvers<void>()
  const stopping = await startInstance(ports[0] ?? 0, { work: () => slow.promise })
  const other = await startInstance(ports[1] ?? 0)
  const peer = peerAt(ports)
  const underWay = peer.rpcs.createUser(input)
  await waitFor('the call', () => stopping.calls === 1)
  const closed = stopping.close()
  for (let n = 0; n < 4; n++) await peer.rpcs.createUser(input)
  assert.deepEqual([stopping.calls, other.calls], [1, 4])
  slow.resolve()
  await underWay
  await closed
  await peer.close()
  await other.close()
})

test('an RPC that does not end holds up the stop for as long as the limit says, and no longer', async () => {
  const [port = 0] = await freePorts(1)
  const stopping = await startInstance(port, { work: () => new Promise(() => {}), drainLimit: 300 })
  const peer = peerAt([port])
  const underWay = peer.rpcs.createUser(input).catch(({ code }) => code)
  await waitFor('the call', () => stopping.calls === 1)
  const start = performance.now()
  await stopping.close()
  assert.ok(performance.now() - start >= 290)
  assert.equal(await underWay, 'SUBGRAPH_UNAVAILABLE')
  await peer.close()
})
