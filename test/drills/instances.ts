import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { type Consul, createConsul, type ServiceInstance } from '#platform/consul.ts'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { createPrincipalSigner, type PrivateKey } from '#platform/principal.ts'
import { createForwarder } from '../../gateway/forward.ts'
import { type ConsulAgent, consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { processNames } from '../../tools/stack.ts'
import { slowCodes, startTestStack, type TestStack, untilTaken } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

const query = '{ products(first: 1) { edges { node { id } } } }'
const workers = 8
/** Milliseconds until Consul takes off an instance that was killed: it asks every 10 s. */
const noticed = 30_000

export const instances: Drill = {
  summary:
    'three instances of products found through Consul: equal shares, one killed with -9 under load, gone and back, Consul killed',
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
    const stack = await startTestStack({ twins: ['products', 'products'], extra })
    try {
      const shop = { stack, products: await followProducts(consul), print }
      await waitFor('all instances of products', () => shop.products.found().length === 3)
      await equalShares(shop, short ? 300 : 3_000)
      await killUnderLoad(shop, short ? 300 : 3_000)
      if (!short) await goneAndBack(shop, 1_000)
      await withoutConsul(stack, agent, short ? 200 : 2_000, print)
    } finally {
      await stack.stop()
      await consul.close()
      agent.stop()
    }
  },
}

type Shop = { stack: TestStack; products: Followed; print: (line: string) => void }
type Followed = Awaited<ReturnType<typeof followProducts>>

/** What Consul says of the instances of products. */
async function followProducts(consul: Consul) {
  let found: readonly ServiceInstance[] = []
  const followers = new Set<(urls: readonly string[]) => void>()
  const urls = () => found.map(({ address, port }) => `http://${address}:${port}/graphql`)
  await consul.follow('products', (list) => {
    found = list
    for (const follower of followers) follower(urls())
  })
  return {
    found: () => found,
    urls: (follower: (urls: readonly string[]) => void) => {
      followers.add(follower)
      follower(urls())
      return () => followers.delete(follower)
    },
  }
}

/** Fetches by a forwarder of the gateway, counted by where they are sent. */
async function equalShares({ stack, products, print }: Shop, total: number): Promise<void> {
  const sign = createPrincipalSigner({ key: stack.secrets.keys.gateway as PrivateKey })
  const principalToken = await sign({ sub: null, sid: null, scopes: [], anonymous: true, address: null })
  const forwarder = createForwarder({ name: 'products', urls: products.urls, timeout: 60_000, log })
  const counts = new Map<string, number>()
  const count = (message: unknown) => {
    const { origin } = (message as { request: { origin: string } }).request
    if (stack.instancesOf('products').includes(origin)) counts.set(origin, (counts.get(origin) ?? 0) + 1)
  }
  subscribe('undici:request:create', count)
  await each(total, async () => {
    const context = { requestId: 'r', ...continueTrace({}), deadline: Date.now() + 60_000, principalToken }
    await forwarder.check(context)
  })
  unsubscribe('undici:request:create', count)
  await forwarder.close()
  const shares = [...counts.values()]
  print(`${total} fetches from three instances of products, round-robin: ${shares.join(', ')}`)
  assert.equal(shares.length, 3)
  for (const share of shares) assert.ok(Math.abs(share - total / 3) <= 1)
}

async function killUnderLoad({ stack, products, print }: Shop, total: number): Promise<void> {
  const { token } = await stack.signUp()
  const [product = ''] = await stack.addProducts(100_000)
  await stack.placeOrder(token, product)
  const back = stack.processes.products.nextReady()
  const items = [{ productId: product, quantity: 1 }]
  const [reads, orders] = await Promise.all([
    load(stack, total, (done) => done === Math.round(total / 3) && stack.processes.products.kill('SIGKILL')),
    load(
      stack,
      total / 10,
      () => false,
      () => {
        const key = randomUUID()
        return untilTaken(() => stack.createOrder(token, items, key), slowCodes)
      },
    ),
  ])
  print(
    `killed with -9 after a third of ${total} queries and beside ${orders.done} orders: ${reads.failures.length} and ${orders.failures.length} failed, p99 ${reads.p99.toFixed(0)} ms`,
  )
  assert.deepEqual([reads.failures, orders.failures], [[], []])
  await back
  await waitFor('Consul to know all three', () => products.found().length === 3, noticed)
  print('and it is back')
}

/** Kills one for longer, and listens in its place once Consul has noticed: nobody calls. Then it comes back by itself. */
async function goneAndBack(shop: Shop, total: number): Promise<void> {
  const { stack, products, print } = shop
  const { products: process } = stack.processes
  process.kill('SIGKILL')
  await process.stop()
  const killed = performance.now()
  const before = await load(stack, total)
  await waitFor('Consul to notice', () => products.found().length === 2, noticed)
  const elapsed = performance.now() - killed

  let asked = 0
  const place = createServer(({ url }, response) => {
    if (url === '/graphql') asked += 1
    response.writeHead(503).end()
  })
  await new Promise<void>((resolve) => place.listen(stack.ports.products.http, '127.0.0.1', resolve))
  const after = await load(stack, total)
  place.closeAllConnections()
  await new Promise((resolve) => place.close(resolve))
  print(
    `killed and kept away: ${before.failures.length} of ${total} queries failed; taken off after ${(elapsed / 1_000).toFixed(1)} s, and of ${total} further ones ${after.failures.length} failed and ${asked} came to its place`,
  )
  assert.deepEqual([before.failures, after.failures, asked], [[], [], 0])

  process.start()
  await waitFor('Consul to know it again', () => products.found().length === 3, noticed)
  await equalShares(shop, 300)
}

async function withoutConsul(stack: TestStack, agent: ConsulAgent, total: number, print: Shop['print']) {
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
  send: () => ReturnType<TestStack['graphql']> = () => untilTaken(() => stack.graphql(query), slowCodes),
) {
  const times: number[] = []
  const failures: string[] = []
  await each(total, async () => {
    const start = performance.now()
    await send().catch((error) => failures.push(String(error)))
    times.push(performance.now() - start)
    onDone(times.length)
  })
  return { done: times.length, failures, p99: percentile(times, 0.99) }
}
