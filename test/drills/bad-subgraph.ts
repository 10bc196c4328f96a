import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BadSubgraph, badWays, startBadSubgraph, type Way } from '../infra/bad-subgraph.ts'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'
import { waitFor } from '../infra/wait.ts'
import { type Client, createClient, mixedQuery, otherQuery, productsQuery, subgraphs } from './bad-subgraph-client.ts'
import { type Drill, percentile } from './drill.ts'
import { createResourceProbe, settled, tell } from './resources.ts'

/** Clients of the fields that products does not own, and of a query that has both. */
const [others, mixed] = [4, 20]
/** Fetches from one subgraph that are under way at once and that wait, by default, and some that find no place. */
const crowd = { slots: 200, queue: 1_000, more: 100 }
/** The same for the short run, on a machine that other tests keep busy. */
const smallCrowd = { slots: 20, queue: 100, more: 10 }
/** Connections of the clients. */
const connections = crowd.slots + crowd.queue + crowd.more + others
/** Milliseconds that a fetch may take, and that a request may take beyond it; the short run is beside other tests. */
const limits = { short: { timeout: 15_000, margin: 10_000 }, full: { timeout: 5_000, margin: 1_500 } }
/**
 * How many times longer other fields may take at p99 than when all is well, and milliseconds that are always fine: all that
 * is asked and all that is poured out shares the machine.
 */
const factor = 3
const alwaysFine = 500
/** Bytes of the gateway's process, whatever a subgraph pours into it: half of what that would be without a bound. */
const mostResident = 1.25 * 1024 * 1024 * 1024

export const badSubgraph: Drill = {
  summary:
    'a subgraph that answers late, never, garbage, half, without end, too much, or 500: other fields beside it, and one that is slow with its queue full',
  async run({ short, print }) {
    const { slots, queue } = short ? smallCrowd : crowd
    const { timeout, margin } = limits[short ? 'short' : 'full']
    const probe = createResourceProbe()
    const graph = await startForeignGraph(subgraphs)
    const bad = await startBadSubgraph()
    const env = {
      SUPERGRAPH_FILE: await graph.supergraph(),
      PRODUCTS_URLS: bad.url,
      RATE_LIMITS: 'off',
      SUBGRAPH_CONCURRENCY: String(slots),
      SUBGRAPH_QUEUE: String(queue),
      // On a machine that others keep busy a crowd would be refused before it comes to what is on trial here.
      MAX_EVENT_LOOP_DELAY: '0',
    }
    const gateway = await runGateway({
      ...env,
      SUBGRAPH_TIMEOUT: String(timeout),
      REQUEST_TIMEOUT: String(2 * timeout),
      NODE_OPTIONS: probe.nodeOptions.join(' '),
      ...probe.env,
    })
    const read = () => probe.read(gateway.pid ?? 0)
    try {
      assert.equal(gateway.code, 'ready', gateway.output())
      const behaviour = { gateway, bad, limit: timeout + margin, seconds: short ? 0.7 : 8, print }
      const usual = await underLoad({ ...behaviour, way: 'well' })
      const before = await read()
      const some: Way[] = short ? ['never', 'other JSON', 'too much', 'every fifth 500'] : badWays
      for (const way of some) {
        const p99 = await underLoad({ ...behaviour, way })
        if (!short) assert.ok(p99 <= Math.max(alwaysFine, factor * usual), `${way}: p99 of other fields`)
      }
      // By a gateway of its own, at which nobody gives up before the queue is full.
      const patient = await runGateway({ ...env, SUBGRAPH_TIMEOUT: '60000', REQUEST_TIMEOUT: '60000' })
      try {
        assert.equal(patient.code, 'ready', patient.output())
        await withFullQueue({ gateway: patient, bad, print, ...(short ? smallCrowd : crowd) })
      } finally {
        await patient.stop()
      }
      if (!short) await flooded({ gateway, bad, print })
      print(`gateway: before ${tell(before)}; after ${tell(await settled(read, before))}`)
    } finally {
      await gateway.stop()
      await graph.stop()
      await bad.stop()
      probe.close()
    }
  },
}

type Run = {
  gateway: TestGateway
  bad: BadSubgraph
  print: (line: string) => void
}
type Behaviour = Run & { way: Way; limit: number; seconds: number }

/** Lets products behave so for a time, and returns the milliseconds that other fields took at p99. */
async function underLoad({ gateway, bad, way, limit, seconds, print }: Behaviour): Promise<number> {
  const client = createClient(gateway, connections)
  bad.behave(way)
  let stopped = false
  const loop = async (query: string, times: number[], codes: Map<string, number>) => {
    while (!stopped) {
      const { time, outcomes } = await client.ask(query)
      times.push(time)
      for (const outcome of outcomes) codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
      await sleep(query === mixedQuery ? 50 : 10)
    }
  }
  const [otherTimes, mixedTimes]: number[][] = [[], []]
  const [otherCodes, mixedCodes] = [new Map<string, number>(), new Map<string, number>()]
  const work = Promise.all([
    ...Array.from({ length: others }, () => loop(otherQuery, otherTimes ?? [], otherCodes)),
    ...Array.from({ length: mixed }, () => loop(mixedQuery, mixedTimes ?? [], mixedCodes)),
  ])
  await Promise.race([sleep(seconds * 1_000), work])
  stopped = true
  await work
  const { asked } = bad
  const recovered = await recovery(client, bad)
  await client.close()
  const [p50, p99, longest] = [
    percentile(otherTimes ?? [], 0.5),
    percentile(otherTimes ?? [], 0.99),
    percentile(mixedTimes ?? [], 1),
  ]
  print(
    `${way}: other fields ${otherTimes?.length} answers, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; beside ${mixedTimes?.length} with products, ${longest.toFixed(0)} ms at the most, ${asked} fetches; whole again after ${recovered.toFixed(0)} ms`,
  )
  for (const [outcome, count] of mixedCodes) print(`    ${String(count).padStart(6)} ${outcome}`)
  assert.deepEqual([...otherCodes], [])
  assert.ok(longest <= limit, `no request takes longer than ${limit} ms`)
  return p99
}

/** Milliseconds until everything is answered again once products behaves well. */
async function recovery(client: Client, bad: BadSubgraph): Promise<number> {
  bad.behave('well')
  const started = performance.now()
  let row = 0
  await waitFor('whole answers', async () => {
    const { outcomes } = await client.ask(mixedQuery)
    row = outcomes.length === 0 ? row + 1 : 0
    return row === 5
  })
  return performance.now() - started
}

type Crowd = typeof crowd

/** As many queries at once as have a slot or wait for one, and some more, while products answers none. */
async function withFullQueue({ gateway, bad, slots, queue, more, print }: Run & Crowd): Promise<void> {
  const client = createClient(gateway, connections)
  bad.behave('held')
  const started = performance.now()
  let settled = 0
  const asked = Promise.all(
    Array.from({ length: slots + queue + more }, () => client.ask(productsQuery).finally(() => (settled += 1))),
  )
  let over = false
  const times: number[] = []
  const beside = Promise.all(
    Array.from({ length: others }, async () => {
      while (!over) {
        const { time, outcomes } = await client.ask(otherQuery)
        assert.deepEqual(outcomes, [])
        times.push(time)
        await sleep(10)
      }
    }),
  )
  const fullest = await waitFor('a full queue, and the rest to be refused', async () => {
    const [underWay = 0, waiting = 0] = await client.fetches()
    return underWay === slots && waiting === queue && settled === more && { underWay, waiting }
  })
  bad.behave('well')
  const answers = await asked
  const elapsed = performance.now() - started
  over = true
  await beside
  await client.close()
  const wholeOnes = answers.filter(({ outcomes }) => outcomes.length === 0).length
  const codes = [...new Set(answers.flatMap(({ outcomes }) => outcomes))]
  print(
    `answers held back: of ${answers.length} queries at once ${fullest.underWay} fetches under way and ${fullest.waiting} waiting; ${wholeOnes} answered in ${elapsed.toFixed(0)} ms, ${answers.length - wholeOnes} with ${codes.join(', ')}`,
  )
  print(
    `    other fields meanwhile: ${times.length} answers, p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
  )
  assert.equal(wholeOnes, slots + queue, 'whoever has a place is answered, and nobody else')
  assert.deepEqual(codes, ['OVERLOADED at products'])
}

/** As many queries at once as have a slot, each answered with too much. */
async function flooded({ gateway, bad, print }: Run): Promise<void> {
  const client = createClient(gateway, connections)
  bad.behave('too much')
  const answers = await Promise.all(Array.from({ length: crowd.slots }, () => client.ask(productsQuery)))
  const codes = new Set(answers.flatMap(({ outcomes }) => outcomes))
  const peak = peakOf(gateway)
  await recovery(client, bad)
  await client.close()
  print(
    `${crowd.slots} answers that are too much at once: ${[...codes].join(', ')}${peak && `; ${megabytes(peak)} resident at the peak`}`,
  )
  assert.ok((peak ?? 0) <= mostResident)
}

/** The most bytes that a process ever had, where the system says it. */
function peakOf({ pid }: TestGateway): number | undefined {
  const status = `/proc/${pid}/status`
  if (!existsSync(status)) return undefined
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8'))?.[1]) * 1024
}

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MB`
