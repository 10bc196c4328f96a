import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { type Consul, createConsul, type ServiceInstance } from '../consul.ts'
import { silentLog as log } from '../log.ts'

/** What Consul answers next: an index and the ports of instances, or a status. After the last it holds the question. */
type Answer = { index: string; ports: number[] } | { status: number }

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

/** Follows a service at a Consul that answers so. */
async function followed(answers: Answer[]) {
  const asked: { index: string | null; token: IncomingMessage['headers'][string] }[] = []
  const told: number[][] = []
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://consul')
    asked.push({ index: searchParams.get('index'), token: request.headers['x-consul-token'] })
    const answer = answers.shift()
    if (!answer) return
    if ('status' in answer) response.writeHead(answer.status).end('no')
    else response.writeHead(200, { 'x-consul-index': answer.index }).end(JSON.stringify(answer.ports.map(entry)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const consul: Consul = createConsul({ url, token: 'secret', log })
  running.push({
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  running.push(consul)
  const left = answers.length + 1
  await consul.follow('things', (instances: readonly ServiceInstance[]) => told.push(instances.map(({ port }) => port)))
  await waitFor('all answers to be heard', () => asked.length === left)
  return { indexes: asked.map(({ index }) => index), told, tokens: new Set(asked.map(({ token }) => token)) }
}

const entry = (port: number) => ({ Node: { Address: '127.0.0.1' }, Service: { Address: '', Port: port, Meta: null } })

test('each question waits for what is newer than the last answer', async () => {
  const { indexes, told, tokens } = await followed([
    { index: '7', ports: [1] },
    { index: '9', ports: [1, 2] },
  ])
  assert.deepEqual(indexes, [null, '7', '9'])
  assert.deepEqual(told, [[1], [1, 2]])
  assert.deepEqual([...tokens], ['secret'])
})

test('an index that goes back is forgotten', async () => {
  const { indexes, told } = await followed([
    { index: '90', ports: [1] },
    { index: '5', ports: [2] },
    { index: '5', ports: [2] },
  ])
  assert.deepEqual(indexes, [null, '90', null, '5'])
  assert.deepEqual(told.at(-1), [2])
})

test('an index that is 0 or none never makes questions that do not wait', async () => {
  const { indexes } = await followed([
    { index: '0', ports: [1] },
    { index: 'x', ports: [1] },
  ])
  assert.deepEqual(indexes, [null, '1', '1'])
})

test('after a failure the question is asked anew, and the last instances stand meanwhile', async () => {
  const { indexes, told } = await followed([
    { index: '7', ports: [1] },
    { status: 500 },
    { status: 403 },
    { index: '8', ports: [2] },
  ])
  assert.deepEqual(indexes, [null, '7', null, null, '8'])
  assert.deepEqual(told, [[1], [2]])
})

test('when Consul says that there are none, the last instances stand', async () => {
  const { told } = await followed([
    { index: '7', ports: [1, 2] },
    { index: '8', ports: [] },
  ])
  assert.deepEqual(told, [[1, 2]])
})
