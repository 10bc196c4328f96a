import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import type { BreakerRules } from '#platform/breaker.ts'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { createForwarder, type FetchContext } from '../forward.ts'
import { clientGone, createGuards } from '../resilience.ts'
import { ask } from './ask.ts'

const openTime = 500
const rules: BreakerRules = { opens: { ratio: 0.6, calls: 3, window: 10_000 }, openTime, probes: 3, slowCall: 0 }
const query = '{ a b }'

/** A subgraph at a port that stays its own while it is down, and a forwarder to it. */
async function start(
  options: { rules?: Partial<BreakerRules>; concurrency?: number; queue?: number; timeout?: number } = {},
) {
  const [port = 0] = await freePorts(1)
  const held: ServerResponse[] = []
  let answer: (response: ServerResponse) => void = json({ data: { a: 1, b: 2 } })
  let asked = 0
  let gone = 0
  const server = () =>
    createServer((request, response) => {
      asked += 1
      response.once('close', () => {
        if (!response.writableFinished) gone += 1
      })
      request.resume().once('end', () => answer(response))
    })
  let running: ReturnType<typeof server> | undefined
  const { concurrency = 100, queue = 100 } = options
  const guards = createGuards({
    rules: () => ({ ...rules, ...options.rules }),
    limits: () => ({ concurrency, queue }),
    log,
  })
  const guard = guards.of('things')
  const forwarder = createForwarder({
    name: 'things',
    urls: [`http://127.0.0.1:${port}/graphql`],
    timeout: options.timeout ?? 2_000,
    guard,
    log,
  })
  const context = (more: Partial<FetchContext> = {}): FetchContext => ({
    requestId: 'r',
    ...continueTrace({}),
    deadline: Date.now() + 10_000,
    ...more,
  })
  async function up(): Promise<void> {
    running = server()
    await new Promise<void>((resolve) => running?.listen(port, '127.0.0.1', resolve))
  }
  async function down(): Promise<void> {
    running?.closeAllConnections()
    await new Promise((resolve) => running?.close(resolve) ?? resolve(undefined))
    running = undefined
  }
  return {
    guards,
    held,
    up,
    down,
    get asked() {
      return asked
    },
    get gone() {
      return gone
    },
    get state() {
      return guard.breaker.state
    },
    guard,
    answer: (next: (response: ServerResponse) => void) => {
      answer = next
    },
    check: () => forwarder.check(context()),
    async fetch(more: Partial<FetchContext> = {}, text = query) {
      const { errors = [] } = await ask(forwarder, { query: text }, context(more))
      return errors.map(({ path, extensions }) => ({ path, ...(extensions as { code?: string; retryAfter?: number }) }))
    },
    async stop() {
      await down()
      await forwarder.close()
    },
  }
}

const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const plain = (status: number) => (response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'text/plain' }).end('no')

const refusedAt = (retryAfter: number) =>
  [['a'], ['b']].map((path) => ({ path, code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'things', retryAfter }))

test('a dead subgraph opens its breaker, fetches are refused in less than 5 ms, exactly 3 try it again, and it closes', async (context) => {
  const things = await start()
  await things.up()
  assert.deepEqual(await things.fetch(), [])
  await things.down()
  for (let made = 0; made < 3; made++) await things.fetch()
  assert.equal(things.state, 'open')
  assert.deepEqual(things.guards.degraded(new Set(['things'])), [{ name: 'things', state: 'open' }])
  assert.deepEqual(things.guards.degraded(new Set(['others'])), [], 'as after a rollout without it')

  const times: number[] = []
  await waitFor('the end of the open time', async () => {
    if (things.state === 'half-open') return true
    const began = performance.now()
    assert.deepEqual(await things.fetch(), refusedAt(1))
    times.push(performance.now() - began)
    return false
  })
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
  context.diagnostic(`${times.length} fetches refused, after ${median.toFixed(3)} ms in the median`)
  assert.ok(median < 5)

  await things.up()
  const before = things.asked
  things.answer((response) => things.held.push(response))
  const fetches = Array.from({ length: 20 }, () => things.fetch())
  const refused = await Promise.all(fetches.slice(3))
  for (const errors of refused) assert.deepEqual(errors, refusedAt(1))
  await waitFor('the probes', () => things.held.length === 3)
  assert.equal(things.state, 'half-open')
  for (const response of things.held) json({ data: { a: 1, b: 2 } })(response)
  assert.deepEqual(await Promise.all(fetches.slice(0, 3)), [[], [], []])
  assert.equal(things.asked - before, 3)
  assert.equal(things.state, 'closed')
  assert.deepEqual(things.guards.degraded(new Set(['things'])), [])
  await things.stop()
})

test('a subgraph that restarts is asked again as soon as a check finds it ready, not after the open time', async () => {
  const things = await start({ rules: { openTime: 60_000 } })
  for (let made = 0; made < 3; made++) await things.fetch()
  assert.equal(things.state, 'open')
  assert.deepEqual(await things.fetch(), refusedAt(5))
  await assert.rejects(things.check())
  assert.equal(things.state, 'open')
  await things.up()
  await things.check()
  for (let made = 0; made < 3; made++) assert.deepEqual(await things.fetch(), [])
  assert.equal(things.state, 'closed')
  await things.stop()
})

test('no connection, no answer in time, a status of 5xx and no GraphQL response count as failures', async () => {
  const failures: Record<string, (response: ServerResponse) => void> = {
    'a connection that breaks': (response) => response.destroy(),
    'no answer in time': () => {},
    '503': json({ errors: [{ message: 'x' }] }, 503),
    '500 without JSON': plain(500),
    'JSON that is no GraphQL response': json({ hello: 'world' }),
    'no JSON': plain(200),
  }
  for (const [what, answer] of Object.entries(failures)) {
    const things = await start()
    await things.up()
    things.answer(answer)
    await Promise.all([1, 2, 3].map(() => things.fetch({ deadline: Date.now() + 300 })))
    assert.equal(things.state, 'open', what)
    await things.stop()
  }
})

test('GraphQL errors and a status of 4xx do not count', async () => {
  const answers = [
    json({ data: null, errors: [{ message: 'x' }] }),
    json({ errors: [{ message: 'x' }] }, 401),
    plain(404),
  ]
  const things = await start()
  await things.up()
  for (const answer of answers) {
    things.answer(answer)
    for (let made = 0; made < 10; made++) await things.fetch()
    assert.equal(things.state, 'closed')
  }
  await things.stop()
})

test('a request without time left asks nothing, and does not count', async () => {
  const things = await start()
  await things.up()
  for (let made = 0; made < 5; made++) {
    const [first] = await things.fetch({ deadline: Date.now() })
    assert.equal(first?.code, 'SUBGRAPH_TIMEOUT')
  }
  things.answer(() => {})
  await Promise.all([1, 2, 3, 4].map(() => things.fetch({ deadline: Date.now() + 50 })))
  assert.equal(things.state, 'closed')
  await things.stop()
})

test('a query ends when its client is gone, and does not count', async () => {
  const things = await start()
  await things.up()
  things.answer((response) => things.held.push(response))
  const client = new AbortController()
  const fetches = [1, 2, 3, 4].map(() => things.fetch({ signal: client.signal }))
  await waitFor('the fetches', () => things.held.length === 4)
  client.abort(clientGone())
  await Promise.all(fetches)
  await waitFor('the subgraph to see that they are gone', () => things.gone === 4)
  assert.equal(things.state, 'closed')
  const before = things.asked
  await things.fetch({ signal: client.signal })
  assert.equal(things.asked, before, 'nothing more is asked')
  await things.stop()
})

test('a mutation that was sent is left to finish, and none is sent for a client who is gone', async () => {
  const things = await start()
  await things.up()
  things.answer((response) => things.held.push(response))
  const client = new AbortController()
  const mutation = things.fetch({ signal: client.signal }, 'mutation { a b }')
  await waitFor('the mutation', () => things.held.length === 1)
  client.abort(clientGone())
  await things.fetch({ signal: client.signal }, 'mutation { a b }')
  assert.equal(things.asked, 1)
  for (const response of things.held) json({ data: { a: 1, b: 2 } })(response)
  assert.deepEqual(await mutation, [])
  assert.equal(things.gone, 0)
  await things.stop()
})

test('a slow subgraph holds so many fetches and lets so many wait; the next is OVERLOADED at once', async () => {
  const things = await start({ concurrency: 2, queue: 1 })
  await things.up()
  things.answer((response) => things.held.push(response))
  const fetches = [1, 2, 3].map(() => things.fetch())
  await waitFor('the first two', () => things.held.length === 2)
  assert.deepEqual(
    await things.fetch(),
    [['a'], ['b']].map((path) => ({ path, code: 'OVERLOADED', subgraph: 'things', retryAfter: 1 })),
  )
  assert.equal(things.state, 'closed')
  things.answer(json({ data: { a: 1, b: 2 } }))
  for (const response of things.held) json({ data: { a: 1, b: 2 } })(response)
  assert.deepEqual(await Promise.all(fetches), [[], [], []])
  await things.stop()
})

test('as many fetches as the bulkhead lets through are made at once: none waits for a connection, and its time with it', async () => {
  const things = await start({ concurrency: 250, timeout: 10_000 })
  await things.up()
  things.answer((response) => things.held.push(response))
  const fetches = Array.from({ length: 250 }, () => things.fetch())
  await waitFor('all of them', () => things.held.length === 250)
  for (const response of things.held) json({ data: { a: 1, b: 2 } })(response)
  for (const errors of await Promise.all(fetches)) assert.deepEqual(errors, [])
  await things.stop()
})
