/**
 * `npm run bench:linear`: whether the gateway's cost is linear in the entities of an answer. One list comes from one subgraph, and three
 * fields of each of its entries from another. What an answer with one entity costs is the fixed part, both fetches and the HTTP around them: it
 * is shown, and subtracted before the rest is divided by the further entities. From 100 entities on that must not differ by more than 1.3x. Figures are CPU time of the gateway's
 * process, all its threads, from the operating system. Linux only.
 */
import assert from 'node:assert/strict'
import { Agent, request } from 'undici'
import { runGateway } from '../test/infra/gateway.ts'
import { cpuPerRequest, median } from './cpu.ts'
import { startRememberingGraph } from './remembering-graph.ts'

const sizes = [1, 10, 100, 1_000, 10_000]
/** Those that are held against each other. */
const compared = 100
const target = 1.3
const rounds = 9
const warmUp = 4
/** Entities of all answers of one size in one round, and answers at the least and most. */
const entitiesPerRound = 40_000
const [fewest, most] = [4, 400]

const federation = 'url: "https://specs.apollo.dev/federation/v2.9"'
const graph = await startRememberingGraph({
  lists: {
    sdl: `extend schema @link(${federation}, import: ["@key"])
      type Query { things(count: Int!): [Thing!] }
      type Thing @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        things: (_: unknown, { count }: { count: number }) =>
          Array.from({ length: count }, (_, n) => ({ id: `thing-${n}` })),
      },
    },
  },
  things: {
    sdl: `extend schema @link(${federation}, import: ["@key"])
      type Thing @key(fields: "id") { id: ID! name: String! amount: Int! maker: Maker! }
      type Maker { name: String! }`,
    resolvers: {
      Thing: {
        name: ({ id }: { id: string }) => `The name of ${id}`,
        amount: () => 1_999,
        maker: () => ({ name: 'Ada' }),
      },
    },
  },
})
const gateway = await runGateway({
  SUPERGRAPH_FILE: graph.supergraph,
  LIMITS: 'off',
  RATE_LIMITS: 'off',
  MAX_EVENT_LOOP_DELAY: '0',
  SUBGRAPH_TIMEOUT: '60000',
  REQUEST_TIMEOUT: '60000',
})
const agent = new Agent({ connections: 1 })
try {
  assert.equal(gateway.code, 'ready', gateway.output())
  await run()
} finally {
  await Promise.all([gateway.stop(), graph.stop(), agent.close()])
}

async function run(): Promise<void> {
  const costs = new Map(sizes.map((size) => [size, [] as number[]]))
  // Answers of all sizes, until their code is compiled.
  for (let turn = 0; turn < warmUp; turn++) for (const size of sizes) await ask(size, timesOf(size))
  for (let round = 0; round < rounds; round++) {
    for (const size of sizes) {
      const times = timesOf(size)
      costs.get(size)?.push(await cpuPerRequest(gateway.pid, times, () => ask(size, times)))
    }
  }
  const medians = sizes.map((size) => ({ size, cost: median(costs.get(size) ?? []) }))
  const fixed = medians.find(({ size }) => size === 1)?.cost ?? Number.NaN
  console.log(`CPU of the gateway, median of ${rounds} interleaved rounds; the fixed part is ${fixed.toFixed(3)} ms\n`)
  console.log(['entities', 'ms an answer', 'us an entity'].map((column) => column.padStart(13)).join(' '))
  const each: number[] = []
  for (const { size, cost } of medians) {
    const perEntity = size > 1 ? ((cost - fixed) / (size - 1)) * 1_000 : Number.NaN
    if (size >= compared) each.push(perEntity)
    const shown = [String(size), cost.toFixed(3), size > 1 ? perEntity.toFixed(2) : '']
    console.log(shown.map((column) => column.padStart(13)).join(' '))
  }
  const spread = Math.max(...each) / Math.min(...each)
  console.log(`\nFrom ${compared} entities on within ${spread.toFixed(2)}x, the target at most ${target}x.`)
  if (!(spread <= target)) process.exitCode = 1
}

function timesOf(size: number): number {
  return Math.min(most, Math.max(fewest, Math.round(entitiesPerRound / size)))
}

async function ask(count: number, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const { statusCode, body } = await request(`${gateway.url}/graphql`, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'query Things($count: Int!) { things(count: $count) { id name amount maker { name } } }',
        variables: { count },
      }),
    })
    const answer = await body.text()
    assert.ok(statusCode === 200 && !answer.includes('"errors"'), answer.slice(0, 500))
    assert.equal(answer.split('"maker"').length - 1, count)
  }
}
