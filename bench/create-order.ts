/**
 * `npm run bench:create-order`: what an order costs, through the whole shop. Orders come through the gateway at a steady rate,
 * whatever the answers take (open loop), with Kafka and Redis where they are there. Prints the latency, and the CPU time of each
 * process, from the operating system. Linux only.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../test/drills/drill.ts'
import { globalSetup, globalTeardown } from '../test/infra/global-setup.ts'
import { kafkaBrokers } from '../test/infra/parts.ts'
import { type Account, startTestStack, type TestStack } from '../test/infra/stack.ts'
import { processNames } from '../tools/stack.ts'
import { cpuOf, pidsOf } from './cpu.ts'

/** Orders per second, and for how many seconds they come before it counts, and while. */
const rate = 100
const warmUp = 10
const measured = 30
const customers = 50
const products = 40

await globalSetup()
const stack = await startTestStack({ events: kafkaBrokers() ? 'Kafka' : 'PostgreSQL' })
try {
  await run(stack)
} finally {
  await stack.stop()
  globalTeardown()
}
process.exit()

async function run(stack: TestStack): Promise<void> {
  const accounts: Account[] = []
  // One after the other: a password takes its time.
  while (accounts.length < customers) accounts.push(await stack.signUp())
  const ids = await stack.addProducts(...Array.from({ length: products }, () => 100_000))
  const place = async (n: number): Promise<{ ms: number; code: string | undefined }> => {
    const chosen = [ids[n % products], ids[(n * 7 + 1) % products]]
    const items = [...new Set(chosen)].map((productId) => ({ productId, quantity: 1 }))
    const start = performance.now()
    const { errors } = await stack.createOrder(accounts[n % customers]?.token, items)
    return { ms: performance.now() - start, code: errors[0]?.extensions.code }
  }

  await come(rate * warmUp, place)
  const groups: [string, () => number[]][] = [
    ...processNames.map((name): [string, () => number[]] => [name, () => [stack.processes[name].pid ?? 0]]),
    ['PostgreSQL', () => pidsOf('postgres')],
    ['Kafka', () => pidsOf('java')],
    ['load generator', () => [process.pid]],
  ]
  const usage = () => groups.map(([, pids]) => pids().reduce((sum, pid) => sum + cpuOf(pid), 0))
  const before = usage()
  const started = performance.now()
  const answers = await come(rate * measured, place)
  const seconds = (performance.now() - started) / 1_000
  const used = usage().map((ms, index) => ms - (before[index] ?? 0))

  const times = answers.map(({ ms }) => ms)
  const failed = answers.filter(({ code }) => code !== undefined)
  const at = (share: number) => percentile(times, share).toFixed(1)
  console.log(`${answers.length} orders in ${seconds.toFixed(1)} s, ${failed.length} refused`)
  console.log(`createOrder: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms\n`)
  console.log(`${'process'.padEnd(16)} ${'CPU ms per order'.padStart(16)} ${'of one core'.padStart(12)}`)
  for (const [index, [name]] of groups.entries()) {
    const ms = used[index] ?? 0
    const share = `${(ms / seconds / 10).toFixed(1)} %`
    console.log(`${name.padEnd(16)} ${(ms / answers.length).toFixed(2).padStart(16)} ${share.padStart(12)}`)
  }
  const refusals = [...Map.groupBy(failed, ({ code }) => code)].map(([code, all]) => `${code} ${all.length}`)
  assert.deepEqual(refusals, [])
}

/** Lets so many orders come at the rate, and waits for all their answers. */
async function come<Answer>(count: number, place: (n: number) => Promise<Answer>): Promise<Answer[]> {
  const start = performance.now()
  const answers: Promise<Answer>[] = []
  while (answers.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - start) / 1_000) * rate) + 1)
    while (answers.length < due) answers.push(place(answers.length))
    await sleep(2)
  }
  return Promise.all(answers)
}
