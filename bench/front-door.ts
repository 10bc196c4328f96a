/**
 * `npm run bench:front-door`: what the gateway's front door costs. The same requests go to two gateways in turns: one with
 * authentication, access rules, signed principals, limits, cost, rate limits and a safelist, and one with none of them.
 * Figures are CPU time of each gateway's process, all its threads, from the operating system. Linux only.
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../test/infra/gateway.ts'
import { createCallers } from './callers.ts'
import { cpuPerRequest, median } from './cpu.ts'

const rounds = 12
const requestsPerRound = 1_000
const warmUp = 3_000
const concurrency = 16
const users = 100
/** The most that the front door may cost, as a ratio. */
const target = 1.25

const link = (imports: string) =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", ${imports}])`
const products = Array.from({ length: 20 }, (_, n) => ({ id: String(n), name: `Product ${n}`, price: n * 100 }))

/** Two subgraphs. `guarded` puts access rules and costs on what is asked for. */
function subgraphs(guarded: boolean) {
  const on = (directive: string) => (guarded ? directive : '')
  const imports = guarded ? '"@authenticated", "@requiresScopes", "@cost", "@listSize"' : '"@shareable"'
  return {
    products: {
      sdl: `${link(imports)}
        type Query {
          me: User ${on('@authenticated')}
          products(first: Int = 20): [Product!] ${on('@listSize(slicingArguments: ["first"])')}
        }
        type User { id: ID! name: String! ${on('@authenticated')} }
        type Product @key(fields: "id") { id: ID! name: String! price: Int! }`,
      resolvers: { Query: { me: () => ({ id: '1', name: 'Ada' }), products: () => products } },
    },
    reviews: {
      sdl: `${link(imports)}
        type Product @key(fields: "id") {
          id: ID!
          reviews: [Review!] ${on('@requiresScopes(scopes: [["reviews:read"]]) @listSize(assumedSize: 3)')}
        }
        type Review { stars: Int! text: String! ${on('@cost(weight: 1)')} }`,
      resolvers: {
        Product: {
          reviews: ({ id }: { id: string }) => [1, 2, 3].map((stars) => ({ stars, text: `Review of ${id}` })),
        },
      },
    },
  }
}

const operations = {
  Me: 'query Me { me { id name } }',
  Products: 'query Products($first: Int) { products(first: $first) { id name price reviews { stars text } } }',
}
type Name = keyof typeof operations

const agent = new Agent({ connections: concurrency })
const folder = await mkdtemp(join(tmpdir(), 'front-door-'))
await mkdir(join(folder, 'bench'))
for (const [name, text] of Object.entries(operations)) await writeFile(join(folder, 'bench', `${name}.graphql`), text)

const { tokens, keySet, gatewayKey } = await createCallers(users, () => 'reviews:read')
const jwks = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(keySet)
})
await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))

const open = await startForeignGraph(subgraphs(false))
const guarded = await startForeignGraph(subgraphs(true))
const off = await runGateway({
  SUPERGRAPH_FILE: await open.supergraph(),
  LIMITS: 'off',
  RATE_LIMITS: 'off',
  PERSISTED_QUERIES: 'off',
})
const on = await runGateway({
  SUPERGRAPH_FILE: await guarded.supergraph(),
  JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
  SERVICE_PRIVATE_KEY: gatewayKey,
  OPERATIONS: 'safelist',
  OPERATIONS_FOLDER: folder,
  RATE_LIMIT_COST: '1000000000',
})
for (const gateway of [off, on]) assert.equal(gateway.code, 'ready', gateway.output())

try {
  await run()
} finally {
  await Promise.all([off.stop(), on.stop(), open.stop(), guarded.stop(), agent.close()])
  jwks.close()
  await rm(folder, { recursive: true })
}

async function run(): Promise<void> {
  const worst: number[] = []
  console.log(
    `CPU of the gateway's process, ms per request, median of ${rounds} interleaved rounds of ${requestsPerRound}\n`,
  )
  console.log(`${'operation'.padEnd(10)} ${'off'.padStart(7)} ${'on'.padStart(7)} ${'ratio'.padStart(7)}`)
  for (const name of Object.keys(operations) as Name[]) {
    assert.deepEqual(await send(on, name, 0), await send(off, name, 0))
    await load(off, name, warmUp)
    await load(on, name, warmUp)
    const costs = { off: [] as number[], on: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      // Each goes first in half of the rounds.
      const order = round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)
      for (const which of order) costs[which].push(await costOf(which === 'on' ? on : off, name))
    }
    const [without, with_] = [median(costs.off), median(costs.on)]
    worst.push(with_ / without)
    console.log(
      `${name.padEnd(10)} ${without.toFixed(3).padStart(7)} ${with_.toFixed(3).padStart(7)} ${(with_ / without).toFixed(2).padStart(7)}`,
    )
  }
  const ratio = Math.max(...worst)
  console.log(`\nThe highest ratio is ${ratio.toFixed(2)}, the target at most ${target}.`)
  if (ratio > target) process.exitCode = 1
}

/** CPU milliseconds per request of one round. */
function costOf(gateway: TestGateway, name: Name): Promise<number> {
  return cpuPerRequest(gateway.pid, requestsPerRound, () => load(gateway, name, requestsPerRound))
}

async function load(gateway: TestGateway, name: Name, count: number): Promise<void> {
  let sent = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (sent < count) await send(gateway, name, sent++)
    }),
  )
}

async function send(gateway: TestGateway, name: Name, n: number): Promise<unknown> {
  const { statusCode, body } = await request(`${gateway.url}/graphql`, {
    dispatcher: agent,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${tokens[n % users]}`,
      traceparent: '00-c0ffee00c0ffee00c0ffee00c0ffee00-00f067aa0ba902b7-01',
    },
    body: JSON.stringify({
      query: operations[name],
      operationName: name,
      variables: name === 'Products' ? { first: 20 } : {},
    }),
  })
  const answer = await body.json()
  assert.equal(statusCode, 200, JSON.stringify(answer))
  return answer
}
