import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Supervised } from '../../tools/infra/supervise.ts'
import { type ProcessName, processNames } from '../../tools/stack.ts'
import { consulAddress, kafkaBrokers, redisUrl } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { auditNotifications, unhandled } from './crash-books.ts'
import type { Drill } from './drill.ts'
import { createLoadBalancer } from './load-balancer.ts'
import { signUpAll, startLoad } from './shop-load.ts'

type Print = (line: string) => void

export const rollingRestart: Drill = {
  summary:
    'two instances of everything, each stopped by SIGTERM and started again under load: 0 failures, 0 lost events',
  async run({ short, print }) {
    const ways = consulAddress() ? (short ? [true] : [true, false]) : [false]
    for (const byConsul of ways) await restartAll({ byConsul, rate: short ? 40 : 200, short, print })
  },
}

async function restartAll(options: { byConsul: boolean; rate: number; short: boolean; print: Print }): Promise<void> {
  const { byConsul, rate, short, print } = options
  const [consul, redis, events] = [consulAddress(), redisUrl(), kafkaBrokers() ? 'Kafka' : 'PostgreSQL'] as const
  const prefix = `${randomUUID()}.`
  const env = {
    ...(byConsul && consul && { CONSUL_HTTP_ADDR: consul, CONSUL_PREFIX: prefix }),
    ...(redis && { REDIS_URL: redis, REDIS_PREFIX: prefix }),
  }
  const extra = Object.fromEntries(processNames.map((name) => [name, { env }]))
  const stack = await startTestStack({ events, extra, twins: processNames, shutdownDelay: 2_000 })
  const urls = [stack.urlOf('gateway'), stack.twins.get('gateway')?.url ?? '']
  const balancer = createLoadBalancer(urls)
  try {
    const customers = await signUpAll(stack, 10)
    const products = await stack.addProducts(...Array.from({ length: 50 }, () => 100_000))
    const parts = [byConsul ? 'found through Consul' : 'known by lists', `events on ${events}`, redis && 'with Redis']
    print(`two instances of each, ${parts.filter(Boolean).join(', ')}; ${rate} requests a second for two gateways`)
    const load = startLoad({ balancer, rate, customers, products })
    for (const name of processNames) {
      await restart(stack, name, stack.processes[name], print)
      const twin = stack.twins.get(name)
      if (twin && !short) await restart(stack, name, twin.process, print)
    }
    const figures = await load.stop()
    await audit(stack, figures, print)
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

async function audit(
  stack: TestStack,
  figures: Awaited<ReturnType<ReturnType<typeof startLoad>['stop']>>,
  print: Print,
): Promise<void> {
  const { requests, rate, failures, placed, paid, p99, slowest } = figures
  print(
    `${requests} requests, ${rate.toFixed(0)} a second, of which ${placed.length} orders and ${paid.length} payments`,
  )
  print(`${failures.length} failed; p99 ${p99.toFixed(0)} ms, the slowest ${slowest.toFixed(0)} ms`)
  assert.deepEqual(failures, [])
  const rows = await stack.sql('orders', 'SELECT id FROM orders')
  assert.deepEqual(rows.map(({ id }) => id).sort(), [...placed].sort(), 'one order for each that was placed')
  await waitFor(
    'the payments to reach the orders',
    async () => {
      const [{ count }] = await stack.sql('orders', `SELECT count(*)::int FROM orders WHERE status = 'PAID'`)
      return count === paid.length
    },
    60_000,
  )
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
