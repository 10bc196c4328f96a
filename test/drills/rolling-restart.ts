import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Supervised } from '../../tools/infra/supervise.ts'
import { type ProcessName, processNames } from '../../tools/stack.ts'
import { consulAddress, kafkaBrokers, redisUrl } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { auditNotifications, unhandled } from './crash-books.ts'
import type { Drill } from './drill.ts'
import { createLoadBalancer } from './load-balancer.ts'
import { type Receipts, signUpAll, startLoad } from './shop-load.ts'

type Print = (line: string) => void
type Load = ReturnType<typeof startLoad>
type Figures = Awaited<ReturnType<Load['stop']>>

/** `rate`: requests a second, at the most. `trial`: milliseconds for which it is tried. `delay`: SHUTDOWN_DELAY. */
const sizes = { full: { rate: 200, trial: 5_000, delay: 2_000 }, short: { rate: 40, trial: 1_000, delay: 3_000 } }
/** Milliseconds that 99 of 100 answers take at the most where the machine keeps up with a rate, and a rate that is low enough. */
const inTime = 400
const lowest = 3

export const rollingRestart: Drill = {
  summary:
    'two instances of everything, each stopped by SIGTERM and started again under load: 0 failures, 0 lost events',
  async run({ short, print }) {
    const ways = consulAddress() ? (short ? [true] : [true, false]) : [false]
    for (const byConsul of ways) await restartAll({ byConsul, short, print })
  },
}

async function restartAll(options: { byConsul: boolean; short: boolean; print: Print }): Promise<void> {
  const { byConsul, short, print } = options
  const { rate: most, trial, delay } = sizes[short ? 'short' : 'full']
  const [consul, redis, events] = [consulAddress(), redisUrl(), kafkaBrokers() ? 'Kafka' : 'PostgreSQL'] as const
  const prefix = `${randomUUID()}.`
  const env = {
    ...(byConsul && consul && { CONSUL_HTTP_ADDR: consul, CONSUL_PREFIX: prefix }),
    ...(redis && { REDIS_URL: redis, REDIS_PREFIX: prefix }),
  }
  const extra = Object.fromEntries(processNames.map((name) => [name, { env }]))
  const stack = await startTestStack({ events, extra, twins: processNames, shutdownDelay: delay })
  const urls = stack.instancesOf('gateway')
  const balancer = createLoadBalancer(urls)
  try {
    const customers = await signUpAll(stack, 10)
    const products = await stack.addProducts(...Array.from({ length: 50 }, () => 100_000))
    const parts = [byConsul ? 'found through Consul' : 'known by lists', `events on ${events}`, redis && 'with Redis']
    print(`two instances of each, ${parts.filter(Boolean).join(', ')}`)
    const receipts: Receipts = { placed: [], paid: [], unknown: 0, unpaid: [] }
    const start = (rate: number) => startLoad({ balancer, rate, customers, products, receipts })
    const rate = await sustained(start, { most, trial, print })
    const load = start(rate)
    for (const name of processNames) {
      await restart(stack, name, stack.processes[name], print)
      const [twin] = stack.twins(name)
      if (twin && !short) await restart(stack, name, twin.process, print)
    }
    const figures = await load.stop()
    const { placed, paid } = receipts
    print(`${told(figures)}; ${placed.length} orders and ${paid.length} payments in all`)
    for (const [failure, { length }] of Map.groupBy(figures.failures, String)) print(`  ${length} times ${failure}`)
    assert.equal(figures.failures.length, 0)
    await audit(stack, receipts, print)
  } finally {
    await balancer.close()
    await stack.stop()
  }
}

/** Stops a process by SIGTERM, and waits until it is back. */
async function restart(stack: TestStack, name: ProcessName, process: Supervised, print: Print): Promise<void> {
  const { pid } = process
  const back = process.nextReady()
  const endings = stack.output.filter((line) => line.startsWith(`${name} ended: `)).length
  const start = performance.now()
  process.kill('SIGTERM')
  const ended = await waitFor(
    `the end of ${process.name}`,
    () => process.pid !== pid && stack.output.filter((line) => line.startsWith(`${name} ended: `))[endings],
    40_000,
  )
  const stopped = performance.now() - start
  await back
  const started = performance.now() - start - stopped
  print(
    `  ${process.name}: stopped after ${seconds(stopped)}, ${ended.split(': ')[1]}, and ready ${seconds(started)} later`,
  )
  assert.equal(ended, `${name} ended: exit code 0`)
}

/**
 * The rate that the machine keeps up with while nothing is restarted: the most, or three quarters of it, and so on. What is refused or
 * late for want of CPU would else look like a failure of the restarts.
 */
async function sustained(
  start: (rate: number) => Load,
  { most, trial, print }: { most: number; trial: number; print: Print },
): Promise<number> {
  // Processes that have just started are still being compiled.
  for (const share of [4, 2]) {
    const warming = start(Math.ceil(most / share))
    await sleep(trial)
    await warming.stop()
  }
  for (let rate = most; ; rate = Math.floor(rate * 0.75)) {
    const load = start(rate)
    await sleep(trial)
    const figures = await load.stop()
    print(`without restarts: ${told(figures)}`)
    if (figures.failures.length === 0 && (figures.p99 <= inTime || rate <= lowest)) return rate
    assert.ok(rate > 1, 'the machine does something')
  }
}

const told = ({ requests, rate, failures, p99, slowest }: Figures) =>
  `${requests} requests, ${rate.toFixed(0)} a second: ${failures.length} failed, p99 ${p99.toFixed(0)} ms, the slowest ${slowest.toFixed(0)} ms`

/** Holds what customers were told against what services have, and these against each other. */
async function audit(stack: TestStack, { placed, paid, unknown }: Receipts, print: Print): Promise<void> {
  const statuses = async () => {
    const rows = await stack.sql('orders', 'SELECT id, status FROM orders')
    return new Map(rows.map(({ id, status }) => [id, status]))
  }
  const orders = await statuses()
  const missing = placed.filter((id) => !orders.has(id))
  const more = orders.size - placed.length
  print(`${missing.length} orders lost, ${more} more than were told, where ${unknown} requests had no answer`)
  assert.deepEqual(missing, [])
  assert.ok(more >= 0 && more <= unknown)
  const arePaid = async () => {
    const now = await statuses()
    return paid.every((id) => now.get(id) === 'PAID')
  }
  await waitFor('the payments to reach the orders', arePaid, 60_000)
  await waitFor(
    'every event to be handled',
    async () => (await unsent(stack)) + (await unhandled(stack)).length === 0,
    60_000,
  )
  await auditNotifications(stack, print)
  print('0 events lost, 0 orders or notifications doubled')
}

async function unsent(stack: TestStack): Promise<number> {
  const emitters = ['users', 'products', 'orders', 'payments'] as const
  const counts = await Promise.all(
    emitters.map((name) => stack.sql(name, 'SELECT count(*)::int FROM outbox WHERE sent_at IS NULL')),
  )
  return counts.reduce((sum, [{ count }]) => sum + count, 0)
}

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`
