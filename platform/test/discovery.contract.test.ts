import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { consulAddress } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { type ConsulAgent, startConsul } from '../../tools/infra/consul.ts'
import type { Addresses } from '../balancer.ts'
import { type Consul, createConsul, type ServiceInstance } from '../consul.ts'
import { openDiscovery } from '../discovery.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { silentLog as log } from '../log.ts'

const skip = consulAddress() === undefined && 'there is no Consul'

/** A process that finds and is found, and what it is told of a service. */
function open(address: string | undefined, prefix: string, name = 'things') {
  const undoes: [string, () => unknown][] = []
  const onStop: Lifecycle['onStop'] = (part, undo) =>
    void undoes.unshift([part, () => undo({ orderly: true, elapsed: 0 })])
  const lifecycle = { ready: true, stopping: false, onStop }
  const config = {
    HOST: '0.0.0.0',
    ADVERTISED_HOST: '127.0.0.1',
    CONSUL_HTTP_ADDR: address && `http://${address}`,
    CONSUL_HTTP_TOKEN: undefined,
    CONSUL_PREFIX: prefix,
  }
  const discovery = openDiscovery({ name, config, log, lifecycle })
  return {
    ...discovery,
    undoes,
    async stop(): Promise<void> {
      for (const [, undo] of undoes) await undo()
    },
  }
}

/** What is told now, and at each change. */
function heard(addresses: Addresses): { now: readonly string[] } {
  const state: { now: readonly string[] } = { now: [] }
  if (typeof addresses !== 'function') return { now: addresses }
  addresses((list) => {
    state.now = [...list].sort()
  })
  return state
}

/** Three that say they are ready whenever Consul asks. */
const servers = await Promise.all([readyServer(), readyServer(), readyServer()])
const [onePort, otherPort, latePort] = [portOf(servers[0]), portOf(servers[1]), portOf(servers[2])]

async function readyServer(): Promise<Server> {
  const server = createServer((_, answer) => answer.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

after(() => {
  for (const server of servers) server.close().closeAllConnections()
})

const isList = (state: { now: readonly string[] }, wanted: string[]) =>
  waitFor(`${wanted} instead of ${state.now}`, () => state.now.join() === wanted.join())

test('without Consul, peers are where the lists say', async () => {
  const { graphql, grpc, register, stop } = open(undefined, '')
  assert.deepEqual(graphql('things', ['http://a/graphql']), ['http://a/graphql'])
  assert.deepEqual(grpc('things', ['a:1']), ['a:1'])
  await register({ port: 1 })
  await stop()
})

describe('with Consul', { skip }, () => {
  test('an instance is found when it is registered, and no more when it stops, which takes it off first', async () => {
    const prefix = `${randomUUID()}-`
    const follower = open(consulAddress(), prefix, 'gateway')
    const http = heard(follower.graphql('things', ['http://127.0.0.1:9/graphql']))
    const grpc = heard(follower.grpc('things', ['127.0.0.1:9']))
    assert.deepEqual([http.now, grpc.now], [['http://127.0.0.1:9/graphql'], ['127.0.0.1:9']])
    const [one, other] = [open(consulAddress(), prefix), open(consulAddress(), prefix)]
    await one.register({ port: onePort, grpcPort: 12 })
    await other.register({ port: otherPort, grpcPort: 22 })
    const urls = [onePort, otherPort].map((port) => `http://127.0.0.1:${port}/graphql`)
    await isList(http, [...urls].sort())
    await isList(grpc, ['127.0.0.1:12', '127.0.0.1:22'])
    assert.equal(one.undoes[0]?.[0], 'registration')
    await one.stop()
    await isList(http, urls.slice(1, 2))
    await other.stop()
    await follower.stop()
  })

  test('an instance that Consul finds unhealthy is left out, and is back with its health', async () => {
    const prefix = `${randomUUID()}-`
    const [follower, one, other] = [
      open(consulAddress(), prefix),
      open(consulAddress(), prefix),
      open(consulAddress(), prefix),
    ]
    const found = heard(follower.grpc('things', []))
    await one.register({ port: onePort, grpcPort: 12 })
    await other.register({ port: otherPort, grpcPort: 22 })
    await isList(found, ['127.0.0.1:12', '127.0.0.1:22'])
    for (const [enable, expected] of [
      [true, ['127.0.0.1:12']],
      [false, ['127.0.0.1:12', '127.0.0.1:22']],
    ] as const) {
      const id = `${prefix}things-127.0.0.1-${otherPort}`
      const answer = await request(`http://${consulAddress()}/v1/agent/service/maintenance/${id}?enable=${enable}`, {
        method: 'PUT',
      })
      assert.equal(answer.statusCode, 200)
      await isList(found, [...expected])
    }
    for (const part of [one, other, follower]) await part.stop()
  })
})

describe('when Consul is away', { skip }, () => {
  let agent: ConsulAgent
  let consul: Consul
  before(async () => {
    agent = await startConsul()
    consul = createConsul({ url: `http://${agent.address}`, log, interval: 100 })
  })
  after(async () => {
    await consul?.close()
    agent?.stop()
  })

  test('the last instances stand, and what it forgot is registered again when it is back', async () => {
    let found: readonly ServiceInstance[] = []
    await consul.follow('things', (instances) => {
      found = instances
    })
    const instances = [
      { address: '127.0.0.1', port: onePort, grpcPort: 12 },
      { address: '127.0.0.1', port: otherPort, grpcPort: 22 },
    ]
    const deregister = await Promise.all(instances.map((instance) => consul.register('things', instance)))
    await waitFor('both', () => found.length === 2)
    await agent.kill()
    assert.equal(found.length, 2)
    await agent.restart()
    const late = { address: '127.0.0.1', port: latePort }
    const deregisterLate = await consul.register('things', late)
    await waitFor('all three', () => found.length === 3)
    assert.deepEqual(
      [...found].sort((one, other) => one.port - other.port),
      [...instances, late].sort((one, other) => one.port - other.port),
    )
    for (const undo of [...deregister, deregisterLate]) await undo()
  })

  test('a start and a stop go on without it', async () => {
    await agent.kill()
    const process = open(agent.address, '')
    const found = heard(process.graphql('things', ['http://127.0.0.1:9/graphql']))
    await process.register({ port: 1 })
    assert.deepEqual(found.now, ['http://127.0.0.1:9/graphql'])
    const start = performance.now()
    await process.stop()
    assert.ok(performance.now() - start < 3_000)
  })
})
