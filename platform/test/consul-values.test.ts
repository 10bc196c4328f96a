import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createConsul } from '../consul.ts'
import { silentLog as log } from '../log.ts'

/** Values under the prefix with the state that each is of, or what else is sent. After the last the question is held. */
type Answer = { index: number | string; values: Record<string, [value: string, state: number]> } | Sent
type Sent = { index: number | string; status?: number; body?: string; headers?: Record<string, string> }

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

/** Watches values at a Consul that answers so. */
async function watched(answers: Answer[]) {
  const asked: { path: string; index: string | null }[] = []
  const told: Record<string, string>[] = []
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://consul')
    asked.push({ path: pathname, index: searchParams.get('index') })
    const answer = answers.shift()
    if (!answer) return
    const sent = 'values' in answer ? { index: answer.index, body: bodyOf(answer.values) } : answer
    const { index, status = 200, body = '', headers = {} } = sent as Sent
    response.writeHead(status, { 'x-consul-index': String(index), ...headers }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  running.push({
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  const consul = createConsul({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log })
  running.push(consul)
  const left = answers.length + 1
  await consul.values.watch('a b/config/', (values) => told.push(Object.fromEntries(values)))
  await waitFor('all answers to be heard', () => asked.length === left)
  return { paths: new Set(asked.map(({ path }) => path)), indexes: asked.map(({ index }) => index), told }
}

function bodyOf(values: Record<string, [value: string, state: number]>): string {
  return JSON.stringify(
    Object.entries(values).map(([name, [value, state]]) => ({
      Key: `a b/config/${name}`,
      Value: value === '' ? null : Buffer.from(value).toString('base64'),
      CreateIndex: state,
      ModifyIndex: state,
    })),
  )
}

test('values are told now and at each change, and a folder is none', async () => {
  const { told, indexes, paths } = await watched([
    { index: 7, values: { '': ['', 3], 'folder/': ['', 3], A: ['1', 7] } },
    { index: 9, values: { A: ['1', 7], B: ['ü', 9] } },
    { index: 10, values: { B: ['', 10] } },
  ])
  assert.deepEqual(told, [{ A: '1' }, { A: '1', B: 'ü' }, { B: '' }])
  assert.deepEqual(indexes, [null, '7', '9', '10'])
  assert.deepEqual([...paths], ['/v1/kv/a%20b/config/'])
})

test('where there are none, the question waits all the same, and the last one that is deleted is gone', async () => {
  const { told, indexes } = await watched([
    { index: 1, status: 404 },
    { index: 7, values: { A: ['1', 7] } },
    { index: 8, status: 404 },
    { index: 0, status: 404 },
  ])
  assert.deepEqual(told.slice(0, 3), [{}, { A: '1' }, {}])
  assert.deepEqual(indexes, [null, '1', '7', '8', null])
})

test('values that Consul has lost stand, also beside new ones, until they are written again', async () => {
  const { told } = await watched([
    { index: 50, values: { A: ['1', 40], B: ['2', 50] } },
    { index: 12, status: 404 },
    { index: 12, status: 404 },
    { index: 14, values: { C: ['3', 14] } },
    { index: 15, values: { A: ['9', 15], C: ['3', 14] } },
    { index: 16, values: { C: ['3', 14] } },
  ])
  const lost = { A: '1', B: '2' }
  assert.deepEqual(told, [lost, lost, lost, { ...lost, C: '3' }, { A: '9', B: '2', C: '3' }, { B: '2', C: '3' }])
})

test('an index that goes back with a value as it was is no loss: what is missing was deleted', async () => {
  const { told, indexes } = await watched([
    { index: 50, values: { A: ['1', 40], B: ['2', 50] } },
    { index: 40, values: { A: ['1', 40] } },
    { index: 40, values: { A: ['1', 40] } },
  ])
  assert.deepEqual(told, [{ A: '1', B: '2' }, { A: '1' }, { A: '1' }])
  assert.deepEqual(indexes, [null, '50', null, '40'])
})

test('a loss is noticed after an absence, too', async () => {
  const { told } = await watched([
    { index: 50, values: { A: ['1', 50] } },
    { index: 0, status: 500 },
    { index: 2, status: 404 },
  ])
  assert.deepEqual(told, [{ A: '1' }, { A: '1' }])
})

test('what was deleted while nobody listened is gone', async () => {
  const { told } = await watched([
    { index: 50, values: { A: ['1', 50] } },
    { index: 0, status: 500 },
    { index: 60, status: 404 },
  ])
  assert.deepEqual(told, [{ A: '1' }, {}])
})

test('what cannot be understood, is refused, or is hidden by access rules changes nothing', async () => {
  const { told } = await watched([
    { index: 50, values: { A: ['1', 50] } },
    { index: 60, body: '{"no": "list"}' },
    { index: 60, body: 'no JSON' },
    { index: 60, body: '[{"Key":"a b/config/A","Value":"***","CreateIndex":1,"ModifyIndex":1}]' },
    { index: 60, status: 403, body: 'ACL not found' },
    { index: 60, body: '[]', headers: { 'x-consul-results-filtered-by-acls': 'true' } },
  ])
  assert.deepEqual(told, [{ A: '1' }])
})
