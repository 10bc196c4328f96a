/**
 * `npm run bench:soak`: a million requests to one gateway with everything on, of some thousand operations, so that its caches turn over,
 * beside hot ones. Memory is sampled after a forced garbage collection, and must grow by no more than 10 % from the 100,000th request to
 * the last one, and the plan cache must stay within its bound. `--requests 100000` is shorter: the comparison begins at a tenth. Linux only.
 */
import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { createResourceProbe } from '../test/drills/resources.ts'
import { runGateway } from '../test/infra/gateway.ts'
import { scrape } from '../test/infra/scrape.ts'
import { proportionalSize } from '../tools/infra/processes.ts'
import { createSoakLoad } from './soak-load.ts'
import { startSoakShop } from './soak-shop.ts'

const { values: options } = parseArgs({ options: { requests: { type: 'string', default: '1000000' } } })
const requests = Number(options.requests)
assert.ok(Number.isSafeInteger(requests) && requests >= 1_000, '--requests must be a whole number from 1000 on.')
/** The request from which on memory must not grow, and how much it may all the same. */
const from = Math.min(100_000, requests / 10)
const most = 1.1
const samples = 20
/** The bounds of gateway/execution/executor.ts and gateway/operations.ts. */
const bounds = { plans: [2_000, 64 * 1024 ** 2], documents: [2_000, 48 * 1024 ** 2] } as const

type Sample = { at: number; pss: number; heap: number; plans: number }

const shop = await startSoakShop()
const probe = createResourceProbe()
const gateway = await runGateway({
  ...shop.env,
  ...probe.env,
  NODE_OPTIONS: probe.nodeOptions.join(' '),
})
assert.equal(gateway.code, 'ready', gateway.output().slice(-2_000))
const load = createSoakLoad({ url: gateway.url, tokens: shop.tokens })
try {
  await soak(gateway.pid ?? 0)
} finally {
  await load.close()
  await gateway.stop()
  await shop.stop()
  probe.close()
}

async function soak(pid: number): Promise<void> {
  const columns = ['requests', 'PSS, MB', 'heap, MB', 'plans', 'a second']
  console.log(columns.map((column) => column.padStart(10)).join(' '))
  const taken: Sample[] = []
  let since = performance.now()
  let before = 0
  for (const at of [
    from,
    ...Array.from({ length: samples }, (_, n) => from + ((requests - from) * (n + 1)) / samples),
  ]) {
    const target = Math.round(at)
    await load.send(target - before)
    const rate = ((target - before) / (performance.now() - since)) * 1_000
    const sample = await sampled(pid, target)
    taken.push(sample)
    const { pss, heap, plans } = sample
    console.log(
      [String(target), megabytes(pss), megabytes(heap), String(plans), rate.toFixed(0)]
        .map((column) => column.padStart(10))
        .join(' '),
    )
    before = target
    since = performance.now()
  }
  const [first, last] = [taken[0], taken.at(-1)]
  assert.ok(first && last)
  const growth = { pss: last.pss / first.pss, heap: last.heap / first.heap }
  console.log(`\n${load.told()}`)
  console.log(
    `From ${first.at} to ${last.at} requests: PSS ${growth.pss.toFixed(3)}x, heap ${growth.heap.toFixed(3)}x, the most ${most}x.`,
  )
  if (growth.pss > most || growth.heap > most) process.exitCode = 1
}

async function sampled(pid: number, at: number): Promise<Sample> {
  const { heap } = await probe.read(pid)
  const pss = proportionalSize(pid)
  const metrics = await scrape(gateway.url)
  const held = (what: string, cache: string) => metrics.get(`operation_cache_${what}{cache="${cache}"}`) ?? Number.NaN
  for (const [cache, [entries, bytes]] of Object.entries(bounds)) {
    assert.ok(held('entries', cache) <= entries)
    assert.ok(held('bytes', cache) <= bytes)
  }
  return { at, pss, heap, plans: held('entries', 'plans') }
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
