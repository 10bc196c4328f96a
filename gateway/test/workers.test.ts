import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Agent, request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../../test/infra/gateway.ts'
import { redisUrl } from '../../test/infra/parts.ts'
import { scrape } from '../../test/infra/scrape.ts'
import { waitFor } from '../../test/infra/wait.ts'

const redis = redisUrl()
let graph: Awaited<ReturnType<typeof startForeignGraph>>
let supergraph: string
before(async () => {
  graph = await startForeignGraph({
    greetings: { sdl: 'type Query { hello: String }', resolvers: { Query: { hello: () => 'Hello' } } },
  })
  supergraph = await graph.supergraph()
})
after(() => graph?.stop())

async function run(more: Record<string, string>): Promise<TestGateway> {
  const gateway = await runGateway({ SUPERGRAPH_FILE: supergraph, GATEWAY_PROCESSES: '2', ...more })
  assert.equal(gateway.code, 'ready', gateway.output())
  return gateway
}

/** The processes that a process has started. */
function childrenOf(pid = 0): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Asks on a connection of its own, as a new client does. */
async function askAnew({ url }: TestGateway): Promise<number> {
  const dispatcher = new Agent({ connections: 1 })
  try {
    const { statusCode, body } = await request(`${url}/graphql`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ hello }"}',
    })
    const answer = await body.text()
    if (statusCode === 200) assert.equal(answer, '{"data":{"hello":"Hello"}}')
    return statusCode
  } finally {
    await dispatcher.close()
  }
}

async function answeredBy(gateway: TestGateway, worker: string): Promise<number> {
  const series = await scrape(gateway.url)
  return [...series]
    .filter(
      ([name]) => name.startsWith('graphql_request_duration_seconds_count') && name.includes(`worker="${worker}"`),
    )
    .reduce((sum, [, value]) => sum + value, 0)
}

describe('a gateway of two workers', () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await run({ RATE_LIMITS: 'off' })
  })
  after(() => gateway?.stop())

  test('both serve, and a scrape of any tells what all of them measured', async () => {
    const before = [await answeredBy(gateway, '1'), await answeredBy(gateway, '2')]
    for (let n = 0; n < 10; n++) assert.equal(await askAnew(gateway), 200)
    const now = [await answeredBy(gateway, '1'), await answeredBy(gateway, '2')]
    const answered = now.map((count, index) => count - (before[index] ?? 0))
    assert.equal(
      answered.reduce((sum, count) => sum + count, 0),
      10,
    )
    assert.ok(
      answered.every((count) => count > 0),
      String(answered),
    )
    const names = [...(await scrape(gateway.url)).keys()].filter((name) => name.startsWith('process_cpu_seconds_total'))
    assert.equal(names.length, 3)
  })

  test('a worker that is killed is started again, and the others serve on', async () => {
    const [victim = 0, other = 0] = childrenOf(gateway.pid)
    process.kill(victim, 'SIGKILL')
    await waitFor('the end of the worker', () => !childrenOf(gateway.pid).includes(victim))
    let asked = 0
    await waitFor('two workers', async () => {
      assert.equal(await askAnew(gateway), 200)
      asked++
      return childrenOf(gateway.pid).length === 2
    })
    assert.ok(asked > 0 && childrenOf(gateway.pid).includes(other))
    const before = [await answeredBy(gateway, '1'), await answeredBy(gateway, '2')]
    await waitFor('both to serve', async () => {
      assert.equal(await askAnew(gateway), 200)
      const now = [await answeredBy(gateway, '1'), await answeredBy(gateway, '2')]
      return now.every((count, index) => count > (before[index] ?? 0))
    })
    assert.match(gateway.output(), /"worker ended"/)
  })
})

test('SIGTERM ends all workers, and no request fails', async () => {
  const gateway = await run({ RATE_LIMITS: 'off', SHUTDOWN_DELAY: '1500' })
  const children = childrenOf(gateway.pid)
  const agent = new Agent({ connections: 4 })
  let answered = 0
  let ready = true
  async function client(): Promise<void> {
    while (ready) {
      const { statusCode, body } = await request(`${gateway.url}/graphql`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{ hello }"}',
      })
      assert.equal(statusCode, 200)
      await body.dump()
      answered++
    }
  }
  /** Looks, as a load balancer does, whether the instance may be sent requests. */
  async function probe(): Promise<void> {
    while (ready) {
      const { statusCode, body } = await request(`${gateway.url}/health/ready`, { dispatcher: agent })
      await body.dump()
      ready = statusCode === 200
    }
  }
  const clients = Promise.all([probe(), client(), client(), client()])
  await waitFor('answers', () => answered > 20)
  const before = answered
  const stopped = gateway.stop()
  await clients
  assert.equal(await stopped, 0)
  await agent.close()
  assert.ok(answered > before && !ready, `${answered} answers`)
  assert.deepEqual(children.filter(isThere), [])
})

test('a gateway whose workers cannot start does not start', async () => {
  const gateway = await runGateway({
    SUPERGRAPH_FILE: '/nowhere/supergraph.graphql',
    GATEWAY_PROCESSES: '2',
    RATE_LIMITS: 'off',
  })
  assert.equal(gateway.code, 1, gateway.output())
})

test('several processes do not start with rate limits that each would count for itself', async () => {
  const gateway = await runGateway({ SUPERGRAPH_FILE: supergraph, GATEWAY_PROCESSES: '2' })
  assert.equal(gateway.code, 1)
  assert.match(gateway.output(), /GATEWAY_PROCESSES: more than one need REDIS_URL/)
})

test('quotas hold across workers', { skip: !redis && 'needs Redis' }, async () => {
  const gateway = await run({
    REDIS_URL: redis ?? '',
    REDIS_PREFIX: `${randomUUID()}.`,
    RATE_LIMIT_ANONYMOUS: '20',
  })
  try {
    const statuses: number[] = []
    // Not more at once than Redis answers in time on a busy machine: a request that it leaves waiting is counted here alone.
    for (let n = 0; n < 50; n += 10)
      statuses.push(...(await Promise.all(Array.from({ length: 10 }, () => askAnew(gateway)))))
    assert.equal(statuses.filter((status) => status === 200).length, 20)
    assert.equal(statuses.filter((status) => status === 429).length, 30)
    for (const worker of ['1', '2']) assert.ok((await answeredBy(gateway, worker)) > 0, worker)
  } finally {
    await gateway.stop()
  }
})
