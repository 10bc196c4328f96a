/**
 * `npm run bench:tracing`: what traces and metrics cost the gateway. The same requests go in turns to gateways that differ in nothing
 * but what of their traces is recorded. Figures are CPU time of each gateway's process, all its threads, from the operating system.
 * Metrics are always on: what a request adds to them is measured by itself. Linux only.
 */
import assert from 'node:assert/strict'
import { parse } from 'graphql'
import { Agent, request } from 'undici'
import { createMetrics } from '#platform/metrics.ts'
import { createOperationMeters } from '../gateway/meters.ts'
import { startCollector } from '../test/infra/collector.ts'
import { runGateway, startForeignGraph, type TestGateway } from '../test/infra/gateway.ts'
import { cpuPerRequest, median } from './cpu.ts'

const rounds = 9
const requestsPerRound = 1_000
const warmUp = 3_000
const concurrency = 16

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])'
const products = Array.from({ length: 20 }, (_, n) => ({ id: String(n), name: `Product ${n}` }))
const graph = await startForeignGraph({
  products: {
    sdl: `${link} type Query { me: String products: [Product!] } type Product @key(fields: "id") { id: ID! name: String! }`,
    resolvers: { Query: { me: () => 'Ada', products: () => products } },
  },
  reviews: {
    sdl: `${link} type Product @key(fields: "id") { id: ID! stars: Int }`,
    resolvers: { Product: { stars: ({ id }: { id: string }) => Number(id) % 5 } },
  },
})
const operations = { 'one fetch': '{ me }', 'two fetches': '{ products { id name stars } }' }

const collector = await startCollector()
const agent = new Agent({ connections: concurrency })
const recorded = (sampler: string, share = '1') => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_TRACES_SAMPLER: `parentbased_${sampler}`,
  OTEL_TRACES_SAMPLER_ARG: share,
})
const kinds: Record<string, Record<string, string>> = {
  off: {},
  // The same once more: how far equal gateways differ.
  'off again': {},
  '0 %': recorded('always_off'),
  '1 %': recorded('traceidratio', '0.01'),
  '100 %': recorded('always_on'),
}
const SUPERGRAPH_FILE = await graph.supergraph()
const gateways = await Promise.all(
  Object.entries(kinds).map(async ([kind, env]) => {
    const gateway = await runGateway({ SUPERGRAPH_FILE, RATE_LIMITS: 'off', ...env })
    assert.equal(gateway.code, 'ready', gateway.output())
    return [kind, gateway] as const
  }),
)

try {
  console.log(`CPU of the gateway, ms per request, median of ${rounds} interleaved rounds of ${requestsPerRound}\n`)
  console.log(
    `${'traces'.padEnd(12)} ${Object.keys(kinds)
      .map((kind) => kind.padStart(14))
      .join(' ')}`,
  )
  for (const [name, query] of Object.entries(operations)) {
    for (const [, gateway] of gateways) await load(gateway, query, warmUp)
    const costs = new Map(gateways.map(([kind]) => [kind, [] as number[]]))
    for (let round = 0; round < rounds; round++) {
      // Each goes first in its turn.
      for (let turn = 0; turn < gateways.length; turn++) {
        const [kind, gateway] = gateways[(round + turn) % gateways.length] ?? []
        if (kind && gateway) costs.get(kind)?.push(await costOf(gateway, query))
      }
    }
    const medians = gateways.map(([kind]) => median(costs.get(kind) ?? []))
    const [off = 1] = medians
    const columns = medians.map((cost) => `${cost.toFixed(3)} ${(cost / off).toFixed(2)}x`.padStart(14))
    console.log(`${name.padEnd(12)} ${columns.join(' ')}`)
  }
  console.log(`\nMetrics of a request with one fetch: ${costOfMetrics().toFixed(4)} ms`)
  assert.ok(collector.spans.length > rounds * requestsPerRound)
  console.log(`Spans that arrived: ${collector.spans.length}`)
} finally {
  await Promise.all([...gateways.map(([, gateway]) => gateway.stop()), graph.stop(), agent.close()])
  collector.stop()
}

/** Milliseconds for what one request adds to the gateway's metrics. */
function costOfMetrics(): number {
  const metrics = createMetrics({ service: 'bench' })
  const requests = metrics.histogram('requests', 'Requests.', ['method', 'route', 'status'])
  const fetches = metrics.histogram('fetches', 'Fetches.', ['subgraph'])
  const prepared = { text: '{ me }', hash: '', document: parse('{ me }'), operations: [] }
  const measure = createOperationMeters(metrics)({ byId: new Map(), byHash: new Map(), shapes: new Set() })
  const count = 200_000
  const add = () => {
    for (let n = 0; n < count; n++) {
      measure({ prepared, client: undefined, seconds: 0.01, codes: [] })
      fetches.observe({ subgraph: 'products' }, 0.01)
      requests.observe({ method: 'POST', route: '/graphql', status: '200' }, 0.01)
    }
  }
  add()
  const start = process.cpuUsage()
  add()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000 / count
}

/** CPU milliseconds per request of one round. */
function costOf(gateway: TestGateway, query: string): Promise<number> {
  return cpuPerRequest(gateway.pid, requestsPerRound, () => load(gateway, query, requestsPerRound))
}

async function load(gateway: TestGateway, query: string, count: number): Promise<void> {
  let sent = 0
  const send = async () => {
    while (sent++ < count) {
      const { statusCode, body } = await request(`${gateway.url}/graphql`, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: '00-c0ffee00c0ffee00c0ffee00c0ffee00-00f067aa0ba902b7-01',
        },
        body: JSON.stringify({ query }),
      })
      await body.dump()
      assert.equal(statusCode, 200)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, send))
}
