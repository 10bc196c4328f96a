import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Consul, createConsul, type ServiceInstance } from '#platform/consul.ts'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { createForwarder } from '../../gateway/forward.ts'
import { type ConsulAgent, consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { processNames } from '../../tools/stack.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

const query = '{ products(first: 1) { edges { node { id } } } }'
const workers = 8

export const instances: Drill = {
  summary:
    'instances found through Consul: equal shares, one of two of products killed with -9 under load, Consul killed',
  async run({ short, print }) {
    if (!consulVersion()) return print('not run: there is no consul')
    const agent = await startConsul()
    const consul = createConsul({ url: `http://${agent.address}`, log })
    // Nobody is where the lists say.
    const env = {
      CONSUL_HTTP_ADDR: agent.address,
      PRODUCTS_URLS: 'http://127.0.0.1:1/graphql',
      PRODUCTS_GRPC_URLS: '127.0.0.1:1',
    }
    const extra = Object.fromEntries(processNames.map((name) => [name, { env }]))
    const stack = await startTestStack({ twins: ['products'], extra })
    try {
      let found: readonly ServiceInstance[] = []
      await equalShares(consul, 3_000, print)
      await consul.follow('products', (list) => {
        found = list
      })
      await waitFor('both instances of products', () => found.length === 2)
      await killUnderLoad(stack, short ? 300 : 3_000, print)
      await withoutConsul(stack, agent, short ? 200 : 2_000, print)
    } finally {
      await stack.stop()
      await consul.close()
      agent.stop()
    }
  },
}

type Print = (line: string) => void

/** Three servers that count what they are asked, found by a forwarder of the gateway. */
async function equalShares(consul: Consul, total: number, print: Print) {
  const counts: number[] = []
  const servers = await Promise.all(
    [0, 1, 2].map(async (index) => {
      const server = createServer(({ url }, response) => {
        if (url === '/graphql') counts[index] = (counts[index] ?? 0) + 1
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":{"a":1}}')
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return { server, port: (server.address() as AddressInfo).port }
    }),
  )
  let tell: (urls: readonly string[]) => void = () => {}
  let known = 0
  await consul.follow('counted', (list) => {
    known = list.length
    tell(list.map(({ address, port }) => `http://${address}:${port}/graphql`))
  })
  const urls = (follow: typeof tell) => {
    tell = follow
    return () => {
      tell = () => {}
    }
  }
  const forwarder = createForwarder({ name: 'counted', urls, timeout: 5_000, log })
  const deregister = await Promise.all(
    servers.map(({ port }) => consul.register('counted', { address: '127.0.0.1', port })),
  )
  await waitFor('all three', () => known === 3)
  const context = { requestId: 'r', ...continueTrace({}), deadline: Date.now() + 60_000 }
  await each(total, async () => void (await forwarder.check(context)))
  await forwarder.close()
  await Promise.all(deregister.map((undo) => undo()))
  for (const { server } of servers) server.close()
  print(`${total} fetches from three instances, round-robin: ${counts.join(', ')}`)
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    total,
  )
}

async function killUnderLoad(stack: TestStack, total: number, print: Print) {
  const { token } = await stack.signUp()
  const [product = ''] = await stack.addProducts(100_000)
  const back = stack.processes.products.nextReady()
  const items = [{ productId: product, quantity: 1 }]
  const [reads, orders] = await Promise.all([
    load(stack, total, (done) => done === Math.round(total / 3) && stack.processes.products.kill('SIGKILL')),
    load(
      stack,
      total / 10,
      () => false,
      () => stack.createOrder(token, items),
    ),
  ])
  print(
    `killed with -9 after a third of ${total} queries and beside ${orders.done} orders: ${reads.failures.length} and ${orders.failures.length} failed, p99 ${reads.p99.toFixed(0)} ms`,
  )
  assert.deepEqual([reads.failures, orders.failures], [[], []])
  await back
  print('and it is back')
}

async function withoutConsul(stack: TestStack, agent: ConsulAgent, total: number, print: Print) {
  await agent.kill()
  const { failures } = await load(stack, total)
  print(`Consul killed: ${failures.length} of ${total} queries failed`)
  assert.deepEqual(failures, [])
}

/** Does so many things, some at once. */
async function each(total: number, work: () => Promise<void>): Promise<void> {
  let left = Math.round(total)
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (left-- > 0) await work()
    }),
  )
}

/** Sends so many requests, and says what became of them. */
async function load(
  stack: TestStack,
  total: number,
  onDone: (done: number) => unknown = () => {},
  send: () => ReturnType<TestStack['graphql']> = () => stack.graphql(query),
) {
  const times: number[] = []
  const failures: string[] = []
  await each(total, async () => {
    const start = performance.now()
    const { errors } = await send()
    times.push(performance.now() - start)
    if (errors[0]) failures.push(errors[0].extensions.code)
    onDone(times.length)
  })
  return { done: times.length, failures, p99: percentile(times, 0.99) }
}
