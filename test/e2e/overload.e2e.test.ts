import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'
import { waitFor } from '../infra/wait.ts'

const payments = {
  sdl: 'type Query { paid: Int slow: Int } type Mutation { pay: Int }',
  resolvers: {},
}

describe('a gateway process', () => {
  let graph: Awaited<ReturnType<typeof startForeignGraph>>
  let gateway: TestGateway
  /** Requests for `slow` and `pay`, which are answered when a test says so. */
  let held: ServerResponse[] = []
  let gone = 0
  const answer = (response: ServerResponse, data: object) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }))
  /** Stands in for payments: its GraphQL, and where its provider's webhooks go. */
  const standIn = createServer((incoming, response) => {
    let body = ''
    incoming.on('data', (chunk) => {
      body += chunk
    })
    incoming.on('end', () => {
      if (incoming.url !== '/graphql') return void response.writeHead(202).end()
      if (!/slow|pay\b/.test(body)) return void answer(response, { __typename: 'Query', paid: 1 })
      response.once('close', () => {
        if (!response.writableFinished) gone += 1
      })
      held.push(response)
    })
  })

  before(async () => {
    await new Promise<void>((resolve) => standIn.listen(0, '127.0.0.1', resolve))
    graph = await startForeignGraph({ payments })
    gateway = await runGateway({
      SUPERGRAPH_FILE: await graph.supergraph(),
      PAYMENTS_URLS: `http://127.0.0.1:${(standIn.address() as AddressInfo).port}/graphql`,
      RATE_LIMITS: 'off',
      MAX_EVENT_LOOP_DELAY: '250',
      // A process that is behind takes its time.
      SUBGRAPH_TIMEOUT: '60000',
      REQUEST_TIMEOUT: '60000',
      NODE_OPTIONS: `--import ${fileURLToPath(new URL('../infra/busy.ts', import.meta.url))}`,
    })
    assert.equal(gateway.code, 'ready', gateway.output())
  })
  after(async () => {
    await gateway.stop()
    await graph.stop()
    standIn.closeAllConnections()
    standIn.close()
  })

  const post = (path: string, body: string) =>
    request(`${gateway.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const ask = async (query: string) => {
    const { statusCode, headers, body } = await post('/graphql', JSON.stringify({ query }))
    return { status: statusCode, retryAfter: headers['retry-after'], body: await body.json() }
  }
  const statusOf = async (path: string) => {
    const { statusCode, body } = await request(`${gateway.url}${path}`)
    return [statusCode, await body.text()] as const
  }
  const toggle = () => process.kill(gateway.pid ?? 0, 'SIGUSR2')

  test('that is behind with its work refuses GraphQL at once, answers whom it let in and whatever else it is asked, and recovers', async () => {
    const paid = { status: 200, retryAfter: undefined, body: { data: { paid: 1 } } }
    assert.deepEqual(await ask('{ paid }'), paid)
    held = []
    const early = ask('{ slow }')
    await waitFor('the early query', () => held.length === 1)

    toggle()
    const refused = await waitFor('a refusal', async () => {
      const answered = await ask('{ paid }')
      return answered.status !== 200 && answered
    })
    assert.deepEqual(refused, {
      status: 503,
      retryAfter: '1',
      body: { errors: [{ message: 'Too busy now, try again.', extensions: { code: 'OVERLOADED', retryAfter: 1 } }] },
    })
    const [live, health, metrics, webhook] = await Promise.all([
      statusOf('/health/live'),
      statusOf('/health'),
      statusOf('/metrics'),
      post('/webhooks/payments', '{}'),
    ])
    assert.deepEqual([live[0], health[0], metrics[0], webhook.statusCode], [200, 200, 200, 202])
    assert.match(metrics[1], /^requests_shed_total\S* [1-9]\d*$/m)
    for (const response of held) answer(response, { slow: 2 })
    assert.deepEqual((await early).body, { data: { slow: 2 } })

    toggle()
    await waitFor('an answer', async () => (await ask('{ paid }')).status === 200)
    assert.deepEqual(await ask('{ paid }'), paid)
  })

  /** Sends an operation over a socket of its own, and cuts that once the subgraph was asked. */
  async function sendAndLeave(query: string): Promise<void> {
    held = []
    gone = 0
    const body = JSON.stringify({ query })
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await waitFor('the fetch', () => held.length === 1)
    socket.destroy()
  }
  const underWay = async () => {
    const [, text] = await statusOf('/metrics')
    return Number(/^subgraph_fetches_under_way\{\S*subgraph="payments"\S* (\d+)$/m.exec(text)?.[1])
  }

  test('gives up the fetches of a query when its client closes the connection', async () => {
    await sendAndLeave('{ slow }')
    await waitFor('the subgraph to see that nobody waits', () => gone === 1)
    await waitFor('the end of the fetch', async () => (await underWay()) === 0)
  })

  test('lets a mutation that was sent finish when its client closes the connection', async () => {
    await sendAndLeave('mutation { pay }')
    // A query that comes and goes meanwhile: the gateway has seen by then that the first client is gone.
    await ask('{ paid }')
    assert.equal(await underWay(), 1)
    assert.equal(gone, 0)
    for (const response of held) answer(response, { pay: 1 })
    await waitFor('the end of the mutation', async () => (await underWay()) === 0)
    assert.equal(gone, 0)
  })
})
