import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { continueTrace } from '#platform/context.ts'
import { createDeparture } from '#platform/departure.ts'
import { silentLog as log } from '#platform/log.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { createChanges } from '../forward/sharing.ts'
import { createForwarder, type FetchContext, type Forwarder } from '../forward.ts'
import { ask } from './ask.ts'

type Asked = { headers: IncomingHttpHeaders; answer: (body?: unknown) => void; response: ServerResponse }

let asked: Asked[] = []
let gone = 0
let on = true
const server = createServer((request, response) => {
  response.on('close', () => {
    if (!response.writableFinished) gone += 1
  })
  request.resume().on('end', () => {
    const answer = (body: unknown = { data: { a: { b: 1 } } }) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    asked.push({ headers: request.headers, answer, response })
  })
})
let forwarder: Forwarder
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  const sharing = { isOn: () => on, changes: createChanges() }
  forwarder = createForwarder({ name: 'things', urls: [url], timeout: 10_000, sharing, log })
})
beforeEach(() => {
  asked = []
  gone = 0
  on = true
})
after(async () => {
  await forwarder.close()
  server.closeAllConnections()
  server.close()
})

const anna = { principalToken: 'token.of.anna' }
const query = '{ a { b } }'

function fetch(context: Partial<FetchContext> = anna, text = query, variables: Record<string, unknown> = {}) {
  const whole = { requestId: 'r', ...continueTrace({}), deadline: Date.now() + 8_000, ...context }
  return ask(forwarder, { query: text, variables }, whole)
}
const codes = ({ errors = [] }: Awaited<ReturnType<typeof fetch>>) => errors.map(({ extensions }) => extensions?.code)
const sent = (count: number) => waitFor(`${count} fetches`, () => asked.length === count)

test('queries that are the same and on their way are fetched once, and each who waits has an answer of its own', async () => {
  const answers = [fetch(), fetch(), fetch()]
  await sent(1)
  asked[0]?.answer()
  const [first, ...others] = await Promise.all(answers)
  for (const other of others) {
    assert.deepEqual(other, first)
    assert.notEqual(other.data, first?.data)
    assert.notEqual(other.data?.a, first?.data?.a)
  }
  const later = fetch()
  await sent(2)
  asked[1]?.answer()
  await later
})

test('two principals never share, nor does anyone with a stranger, nor other forwarded headers, variables or documents', async () => {
  const answers = [
    fetch(anna),
    fetch({ principalToken: 'token.of.bob' }),
    fetch({}),
    fetch({ ...anna, headers: { 'accept-language': 'de' } }),
    fetch({ ...anna, headers: { 'accept-language': 'en' } }),
    fetch(anna, query, { v: 1 }),
    fetch(anna, '{ a { b c } }'),
  ]
  await sent(answers.length)
  const tokens = asked.map(({ headers }) => headers['x-principal'])
  for (const { answer, headers } of asked) answer({ data: { a: headers['x-principal'] ?? 'nobody' } })
  const datas = (await Promise.all(answers)).map(({ data }) => data?.a)
  assert.deepEqual(datas.slice(0, 3), ['token.of.anna', 'token.of.bob', 'nobody'])
  assert.equal(tokens.filter((token) => token === 'token.of.bob').length, 1)
})

test('mutations are never shared', async () => {
  const answers = [fetch(anna, 'mutation { a { b } }'), fetch(anna, 'mutation { a { b } }')]
  await sent(2)
  for (const { answer } of asked) answer()
  await Promise.all(answers)
})

test('a client that leaves fails nobody else, whether it came first or not, and the last one ends the fetch', async () => {
  const clients = [createDeparture(), createDeparture(), createDeparture()]
  const answers = clients.map(({ signal }) => fetch({ ...anna, signal }))
  await sent(1)
  clients[0]?.leave(new Error('gone'))
  clients[1]?.leave(new Error('gone'))
  await Promise.all(answers.slice(0, 2))
  assert.equal(gone, 0)
  asked[0]?.answer()
  assert.deepEqual((await answers[2])?.data, { a: { b: 1 } })

  const [one, other] = [createDeparture(), createDeparture()]
  const left = [fetch({ ...anna, signal: one.signal }), fetch({ ...anna, signal: other.signal })]
  await sent(2)
  one.leave(new Error('gone'))
  other.leave(new Error('gone'))
  await Promise.all(left)
  await waitFor('the end of the fetch', () => gone === 1)
})

test('each waits until its own deadline: a nearer one ends alone', async () => {
  const patient = fetch()
  await sent(1)
  const hurried = fetch({ ...anna, deadline: Date.now() + 50 })
  assert.deepEqual(codes(await hurried), ['SUBGRAPH_TIMEOUT'])
  asked[0]?.answer()
  assert.deepEqual(codes(await patient), [])
  assert.equal(asked.length, 1)
})

test('a fetch that ended with the time of its first caller is made again, once, for those who have time left', async () => {
  const hurried = fetch({ ...anna, deadline: Date.now() + 300 })
  await sent(1)
  const patient = [fetch(), fetch()]
  assert.deepEqual(codes(await hurried), ['SUBGRAPH_TIMEOUT'])
  await sent(2)
  asked[1]?.answer()
  for (const answer of await Promise.all(patient)) assert.deepEqual(answer.data, { a: { b: 1 } })
  assert.equal(asked.length, 2)
})

test('whoever changed something joins no fetch that began before the change ended', async () => {
  const before = fetch()
  await sent(1)
  const change = fetch(anna, 'mutation { a { b } }')
  await sent(2)
  asked[1]?.answer()
  await change
  const afterwards = fetch()
  await sent(3)
  asked[0]?.answer({ data: { a: 'old' } })
  asked[2]?.answer({ data: { a: 'new' } })
  assert.deepEqual((await before).data, { a: 'old' })
  assert.deepEqual((await afterwards).data, { a: 'new' })
})

test('what fails is shared too, and not kept', async () => {
  const answers = [fetch(), fetch()]
  await sent(1)
  asked[0]?.answer({ nothing: 'that can be understood' })
  for (const answer of await Promise.all(answers)) assert.deepEqual(codes(answer), ['SUBGRAPH_UNAVAILABLE'])
  const next = fetch()
  await sent(2)
  asked[1]?.answer()
  assert.deepEqual(codes(await next), [])
})

test('switched off, each fetch is made', async () => {
  on = false
  const answers = [fetch(), fetch()]
  await sent(2)
  for (const { answer } of asked) answer()
  await Promise.all(answers)
})
