import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Agent, request } from 'undici'
import { root } from '../../tools/services.ts'
import { type ProcessName, processNames } from '../../tools/stack.ts'
import { runGateway, startForeignGraph } from '../infra/gateway.ts'
import { growth, type Scrape, scrape } from '../infra/scrape.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** What metrics tell of what happened in the shop. */

describe('of what happens, the series move that must', () => {
  let stack: TestStack
  before(async () => {
    stack = await startTestStack({ extra: { gateway: { env: { RATE_LIMITS: 'on', RATE_LIMIT_ANONYMOUS: '20' } } } })
  })
  after(() => stack.stop())

  async function all(): Promise<Record<ProcessName, Scrape>> {
    const scrapes = processNames.map(async (name) => [name, await scrape(stack.urlOf(name))] as const)
    return Object.fromEntries(await Promise.all(scrapes)) as Record<ProcessName, Scrape>
  }
  /** Runs `work` and tells how a name has grown since. */
  async function across(work: () => Promise<unknown>) {
    const earlier = await all()
    await work()
    return async (process: ProcessName, name: string, labels: Record<string, string> = {}) =>
      growth(earlier[process], await scrape(stack.urlOf(process)), name, labels)
  }
  const grows = (what: string, read: () => Promise<number>) => waitFor(what, async () => (await read()) > 0)

  test('a purchase', async () => {
    const eve = await stack.signUp()
    const [product = ''] = await stack.addProducts(5)
    const grown = await across(async () => {
      const order = await stack.placeOrder(eve.token, product)
      await stack.payOrder(eve.token, order)
    })
    const routes = { method: 'POST', route: '/graphql', status: '200' }
    assert.equal(await grown('gateway', 'http_server_request_duration_seconds_count', routes), 2)
    assert.equal(await grown('gateway', 'graphql_operation_duration_seconds_count', { operation_name: 'unknown' }), 2)
    assert.equal(await grown('gateway', 'graphql_operation_errors_total'), 0)
    for (const subgraph of ['orders', 'payments'])
      assert.ok((await grown('gateway', 'subgraph_fetch_duration_seconds_count', { subgraph })) > 0, subgraph)
    assert.ok((await grown('orders', 'http_server_request_duration_seconds_count', routes)) > 0)
    const reserve = { method: 'products.v1.ProductService/ReserveStock', code: 'OK' }
    assert.equal(await grown('orders', 'rpc_client_call_duration_seconds_count', reserve), 1)
    assert.equal(await grown('products', 'rpc_server_call_duration_seconds_count', reserve), 1)
    assert.ok((await grown('orders', 'db_statements_total')) > 0)
    await grows('events', () => grown('orders', 'events_published_total', { topic: 'orders' }))
    await grows('events', () => grown('notifications', 'events_handled_total', { topic: 'orders' }))
    await grows('events', () =>
      grown('notifications', 'event_handling_duration_seconds_count', { topic: 'payments' }).then(
        // A capture is nobody's news: payments tell orders, and orders tell the customer.
        async (count) =>
          count + (await grown('orders', 'event_handling_duration_seconds_count', { topic: 'payments' })),
      ),
    )
    await grows('notifications', () =>
      grown('notifications', 'notifications_total', { channel: 'EMAIL', status: 'sent' }),
    )
    const after = await all()
    for (const name of ['outbox_pending', 'outbox_oldest_seconds']) assert.ok(after.orders.has(name), name)
    assert.ok([...after.notifications.keys()].some((series) => series.startsWith('consumer_lag{')))
    for (const process of processNames) {
      for (const name of ['nodejs_eventloop_lag_seconds', 'process_cpu_seconds_total'])
        assert.ok(after[process].has(name), `${process} ${name}`)
    }
  })

  test('a catalogue that is read twice', async () => {
    const [product = ''] = await stack.addProducts(1)
    const eve = await stack.signUp()
    const read = () => stack.graphql(`{ product(id: "${product}") { name } }`, {}, eve.token)
    const grown = await across(async () => {
      await read()
      await read()
    })
    assert.ok((await grown('products', 'cache_requests_total', { result: 'miss' })) > 0)
    assert.ok((await grown('products', 'cache_requests_total', { result: 'hit' })) > 0)
  })

  test('a refused login, by the name of a recorded operation and of its client', async () => {
    const query = await readFile(join(root, 'schema/operations/demo/LogIn.graphql'), 'utf8')
    const body = JSON.stringify({ query, variables: { input: { email: 'nobody@example.com', password: 'wrong' } } })
    let errors: readonly unknown[] = []
    const grown = await across(async () => {
      ;({ errors } = await stack.post(stack.url, body, { 'graphql-client-name': 'web' }))
    })
    const labels = { operation_name: 'LogIn', client_name: 'web' }
    assert.equal(errors.length, 1)
    assert.equal(
      await grown('gateway', 'graphql_operation_errors_total', { ...labels, code: 'INVALID_CREDENTIALS' }),
      1,
    )
    assert.equal(await grown('gateway', 'graphql_operation_duration_seconds_count', labels), 1)
  })

  test('a dead letter', async () => {
    const grown = await across(() =>
      stack.sql(
        'orders',
        `INSERT INTO outbox (event_id, type, topic, key, sequence, data, time)
         VALUES ($1, 'order.created', 'orders', 'poison', 1, '{}', now())`,
        [randomUUID()],
      ),
    )
    await grows('the dead letter', () =>
      grown('notifications', 'dead_letters_total', { group: 'notifications', topic: 'orders' }),
    )
  })

  test('an open breaker', async () => {
    const eve = await stack.signUp()
    const subgraph = 'notifications'
    const grown = await across(async () => {
      await stack.processes.notifications.stop()
      await waitFor('the breaker', async () => {
        await stack.graphql('{ me { unreadNotificationCount } }', {}, eve.token)
        const states = await scrape(stack.urlOf('gateway'))
        return states.get('circuit_breaker_state{target="notifications"}') === 2
      })
    })
    const code = 'SUBGRAPH_UNAVAILABLE'
    assert.equal(await grown('gateway', 'circuit_breaker_state', { target: subgraph }), 2)
    assert.ok((await grown('gateway', 'subgraph_fetch_errors_total', { subgraph, code })) >= 3)
    assert.ok((await grown('gateway', 'graphql_operation_errors_total', { operation_name: 'unknown', code })) >= 3)
    const back = stack.processes.notifications.nextReady()
    stack.processes.notifications.start()
    await back
  })

  test('a caller who asks too much', async () => {
    const grown = await across(() =>
      waitFor(
        'the refusal',
        async () => (await stack.graphql('{ __typename }')).errors[0]?.extensions.code === 'RATE_LIMITED',
      ),
    )
    assert.ok((await grown('gateway', 'rate_limited_total')) > 0)
    assert.equal(await grown('gateway', 'http_server_request_duration_seconds_count', { status: '429' }), 1)
  })
})

test('10,000 operations and clients of any name, methods and paths make no more series than there are names of ours', async () => {
  const graph = await startForeignGraph({
    planets: { sdl: 'type Query { planet: String }', resolvers: { Query: { planet: () => 'Earth' } } },
  })
  const gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph(), RATE_LIMITS: 'off' })
  const agent = new Agent({ connections: 16 })
  const count = 10_000
  let sent = 0
  const send = async (n: number) => {
    const path = n % 4 === 0 ? `/path-${n}` : '/graphql'
    const method = n % 16 === 1 ? (['PUT', 'DELETE', 'PROPFIND', 'PURGE'][n % 4] ?? 'PUT') : 'POST'
    // Every operation of a name of its own; some valid, some not.
    const query = n % 3 === 0 ? `query Q${n} { nothing${n} }` : `query Q${n} { __typename }`
    const { body } = await request(gateway.url + path, {
      dispatcher: agent,
      method: method as 'POST',
      headers: { 'content-type': 'application/json', 'graphql-client-name': `client-${n}` },
      body: JSON.stringify({ query, operationName: `Q${n}` }),
    })
    await body.dump()
  }
  const rush = async (until: number) => {
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        while (sent < until) await send(sent++)
      }),
    )
    return scrape(gateway.url)
  }
  // Whatever moves at all has moved by then, a scrape included.
  await rush(500)
  const early = await rush(1_000)
  const late = await rush(count)
  await agent.close()
  await gateway.stop()
  await graph.stop()
  const series = `${early.size} series after 1000 operations, ${late.size} after ${count}`
  console.log(series)
  assert.ok(growth(early, late, 'graphql_operation_duration_seconds_count', { operation_name: 'unknown' }) > 5_000)
  assert.deepEqual(
    [...late.keys()].filter((each) => /Q\d|client-|path-/.test(each)),
    [],
  )
  // Such as the kinds of garbage collection that had not come to pass.
  const added = [...late.keys()].filter((each) => !early.has(each) && !each.startsWith('nodejs_'))
  assert.deepEqual(added, [], series)
})
