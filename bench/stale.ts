/**
 * `npm run bench:stale`: what it costs the gateway to remember public fields. The same requests go to two gateways in turns, of
 * which one remembers and the other does not: a list of 50 entities whose fields come from another subgraph. Figures are CPU
 * time of each gateway's process, all its threads, from the operating system. Linux only.
 */
import assert from 'node:assert/strict'
import { Agent, request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../test/infra/gateway.ts'
import { cpuPerRequest } from './cpu.ts'

const rounds = 16
const requestsPerRound = 400
const warmUp = 2_000
const concurrency = 4
/** Entities in one answer, out of so many. */
const listed = 50
const entities = 5_000
/** The most that remembering may cost where the same entities are asked for again and again, as a ratio. */
const target = 1.05

const federation = 'url: "https://specs.apollo.dev/federation/v2.9"'
const graph = await startForeignGraph({
  lists: {
    sdl: `extend schema @link(${federation}, import: ["@key"])
      type Query { things(from: Int!): [Thing!] }
      type Thing @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        things: (_: unknown, { from }: { from: number }) =>
          Array.from({ length: listed }, (_, n) => ({ id: `thing-${(from + n) % entities}` })),
      },
    },
  },
  things: {
    sdl: `extend schema
        @link(${federation}, import: ["@key", "@composeDirective"])
        @link(url: "https://specs.commerce.example/cacheControl/v0.1", import: ["@cacheControl"])
        @composeDirective(name: "@cacheControl")
      directive @cacheControl(maxAge: Int, scope: cacheControl__Scope) on FIELD_DEFINITION
      enum cacheControl__Scope { PUBLIC PRIVATE }
      type Thing @key(fields: "id") {
        id: ID! @cacheControl(scope: PUBLIC)
        name: String! @cacheControl(scope: PUBLIC)
        description: String! @cacheControl(scope: PUBLIC)
        price: Price! @cacheControl(scope: PUBLIC)
      }
      type Price { amount: Int! @cacheControl(scope: PUBLIC) currency: String! @cacheControl(scope: PUBLIC) }`,
    resolvers: {
      Thing: {
        name: ({ id }: { id: string }) => `The name of ${id}`,
        description: ({ id }: { id: string }) => `What ${id} is, in a few sentences. `.repeat(3),
        price: () => ({ amount: 1_999, currency: 'EUR' }),
      },
    },
  },
})
const query = 'query Things($from: Int!) { things(from: $from) { id name description price { amount currency } } }'
let sent = 0
const agent = new Agent({ connections: concurrency })
const common = {
  SUPERGRAPH_FILE: await graph.supergraph(),
  LIMITS: 'off',
  RATE_LIMITS: 'off',
  MAX_EVENT_LOOP_DELAY: '0',
}
const off = await runGateway({ ...common, STALE_CACHE_BYTES: '0' })
const on = await runGateway(common)
for (const gateway of [off, on]) assert.equal(gateway.code, 'ready', gateway.output())

try {
  await run()
} finally {
  await Promise.all([off.stop(), on.stop(), graph.stop(), agent.close()])
}

async function run(): Promise<void> {
  /**
   * Where lists begin: always the same entities, which are renewed once a second, or ever others, all of which each request
   * renews. The second is the most that it can cost.
   */
  const loads = { 'the same 50': () => 0, 'ever others': (n: number) => n * listed }
  const ratios: number[] = []
  console.log(
    `CPU of the gateway's process, ms per request, mean of ${rounds} interleaved rounds of ${requestsPerRound}\n`,
  )
  console.log(`${'entities'.padEnd(12)} ${'off'.padStart(7)} ${'on'.padStart(7)} ${'ratio'.padStart(7)}`)
  for (const [name, from] of Object.entries(loads)) {
    for (const gateway of [off, on]) await load(gateway, from, warmUp)
    const costs = { off: 0, on: 0 }
    for (let round = 0; round < rounds; round++) {
      // Each goes first in half of the rounds.
      const order = round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)
      for (const which of order) costs[which] += await costOf(which === 'on' ? on : off, from)
    }
    const ratio = costs.on / costs.off
    ratios.push(ratio)
    const columns = [costs.off / rounds, costs.on / rounds, ratio].map((figure) => figure.toFixed(3).padStart(7))
    console.log(`${name.padEnd(12)} ${columns.join(' ')}`)
  }
  const [usual = Number.NaN, most = Number.NaN] = ratios
  console.log(`\nUsually ${usual.toFixed(3)}, the target at most ${target}; never more than ${most.toFixed(3)}.`)
  if (!(usual <= target)) process.exitCode = 1
}

/** CPU milliseconds per request of one round. */
function costOf(gateway: TestGateway, from: (n: number) => number): Promise<number> {
  return cpuPerRequest(gateway.pid, requestsPerRound, () => load(gateway, from, requestsPerRound))
}

async function load(gateway: TestGateway, from: (n: number) => number, count: number): Promise<void> {
  const end = sent + count
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (sent < end) {
        const { statusCode, body } = await request(`${gateway.url}/graphql`, {
          dispatcher: agent,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query, variables: { from: from(sent++) % entities } }),
        })
        const answer = await body.text()
        assert.ok(statusCode === 200 && !answer.includes('"errors"'), answer.slice(0, 500))
      }
    }),
  )
}
