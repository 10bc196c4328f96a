import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BusEvent } from '#platform/bus/bus.ts'
import { createBusMeters } from '#platform/bus/meters.ts'
import { busRules, busSettings, openBus, openRecords } from '#platform/bus/open.ts'
import { createReplay } from '#platform/bus/replay.ts'
import { readEnv } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMetrics } from '#platform/metrics.ts'
import { root } from '../../tools/services.ts'
import { kafkaBrokers } from '../infra/parts.ts'
import { seededRandom } from '../infra/random.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'
import { unbearable } from './poison-release.ts'

const malformed = 10
/** Milliseconds for all events to be handled. */
const limit = 120_000

export const poison: Drill = {
  summary: 'malformed events among good ones: dead letters with reasons, handled after the fix by replay, once',
  async run({ short, print, seed = 8 }) {
    const logs = short || !kafkaBrokers() ? (['PostgreSQL'] as const) : (['PostgreSQL', 'Kafka'] as const)
    for (const events of logs) {
      const folder = mkdtempSync(join(tmpdir(), 'commerce-poison-'))
      const release = join(folder, 'fixed')
      const stack = await startTestStack({
        events,
        extra: {
          notifications: {
            env: { FIXED_RELEASE: release },
            nodeOptions: ['--import', join(import.meta.dirname, 'poison-release.ts')],
          },
        },
      })
      try {
        print(`events on ${events}, seed ${seed}`)
        await poisonAndMend(stack, { total: short ? 200 : 1_000, random: seededRandom(seed), release, print })
      } finally {
        await stack.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  },
}

type Run = { total: number; random: () => number; release: string; print: (line: string) => void }

async function poisonAndMend(stack: TestStack, { total, random, release, print }: Run): Promise<void> {
  const customer = await stack.signUp()
  const config = readEnv(busSettings, [busRules], stack.eventLog)
  const meters = createBusMeters(createMetrics({ service: 'drill' }))
  const bus = await openBus({ config, clientId: 'drill', log, meters })
  const records = await openRecords({ config, log })
  const replay = createReplay({ records, now: () => new Date() })
  const orders = { topic: 'orders', group: 'notifications' }
  const told = async () => {
    const [row] = await stack.sql(
      'notifications',
      `SELECT count(*)::int AS rows, count(DISTINCT order_id)::int AS orders FROM notifications WHERE order_id IS NOT NULL`,
    )
    return row
  }
  const nameOf = async () =>
    (await stack.sql('notifications', 'SELECT name FROM contacts WHERE user_id = $1', [customer.id]))[0]?.name

  // The release that is there: it cannot handle ten orders, and nobody can handle what is no event.
  const bad = new Set<number>()
  while (bad.size < malformed) bad.add(Math.floor(random() * total))
  const sent = Array.from({ length: total }, (_, n) => orderCreated(customer.id, bad.has(n) ? '1000' : 1_000))
  for (let n = 0; n < total; n += 100) await bus.publish(sent.slice(n, n + 100))
  await bus.publish([{ ...orderCreated(customer.id, 1_000), id: 'no UUID' }])
  for (const name of [unbearable, 'Newer']) {
    assert.deepEqual((await stack.mutate('updateProfile', 'user { id }', { name }, customer.token)).errors, [])
  }
  await waitFor('what can be handled', async () => (await told()).rows === total - malformed, limit)
  await waitFor('the newer name', async () => (await nameOf()) === 'Newer')
  await settled(stack)
  const letters = await replay.find(orders)
  const reasons = Map.groupBy(letters, ({ headers }) => headers['dlq-error'] ?? '')
  for (const [reason, { length }] of reasons) print(`  ${length} dead letters: ${reason}`)
  assert.equal(letters.length, malformed + 1)
  assert.equal(reasons.get(amountsAreText)?.length, malformed)
  const ids = letters.map(({ headers }) => headers.ce_id).sort()
  assert.deepEqual(ids, [...[...bad].map((n) => sent[n]?.id), 'no UUID'].sort())
  assert.equal(await metricOf(stack, 'dead_letters_total', 'orders'), malformed + 1)
  assert.match(run(stack, 'list'), /^orders\.notifications\.dlq +11 +11 /m)
  assert.match(run(stack, 'show', orders, '--limit', '1'), /personal data.*dlq-first-failed-at.*10 more wait/s)

  // The next one reads amounts that are text, and stands every name.
  writeFileSync(release, '')
  const restarted = stack.processes.notifications.nextReady()
  stack.processes.notifications.kill('SIGTERM')
  await restarted
  assert.match(run(stack, 'drive', orders), /Nothing is done yet/)
  assert.equal((await replay.find(orders)).length, malformed + 1)
  assert.match(run(stack, 'drive', orders, '--yes'), /^11 driven\.$/m)
  await waitFor('the ten', async () => (await told()).rows === total, limit)
  await settled(stack)
  assert.deepEqual(
    (await replay.find(orders)).map(({ headers }) => headers.ce_id),
    ['no UUID'],
    'what is no event comes back',
  )
  assert.match(run(stack, 'drop', orders, '--yes'), /^1 dropped\.$/m)

  // Again by the script, and again as after a crash between an event and its mark.
  assert.match(run(stack, 'drive', orders, '--yes'), /None waits/)
  for (const letter of letters) if (letter.headers.ce_id !== 'no UUID') await replay.drive(letter)
  const [old] = await replay.find({ topic: 'users', group: 'notifications' })
  assert.ok(old)
  assert.match(run(stack, 'drive', { topic: 'users', group: 'notifications' }, '--yes'), /^1 driven\.$/m)
  await settled(stack)
  assert.deepEqual(await told(), { rows: total, orders: total })
  assert.equal(await nameOf(), 'Newer')
  assert.deepEqual(await replay.find({ topic: 'users', group: 'notifications' }), [], 'it was handled, without effect')
  print(
    `  ${total - malformed} of ${total} handled at once, ${malformed} after the fix by replay, each once; driven twice: no change`,
  )
  print('  user.updated that was overtaken, driven: no change; what is no event came back, and was dropped')
  await Promise.all([bus.close(), records.close()])
}

const amountsAreText =
  'PoisonError: order.created does not parse: items.0.unitPrice.amount: invalid_type, total.amount: invalid_type'

function orderCreated(customerId: string, amount: number | string): BusEvent {
  const orderId = randomUUID()
  const price = { amount, currency: 'EUR' }
  const item = { productId: randomUUID(), sku: 'SKU-1', name: 'A thing', quantity: 1, unitPrice: price }
  const data = { orderId, number: orderId.slice(0, 8), customerId, items: [item], total: price }
  const at = { source: 'orders', time: new Date(), sequence: 1 }
  return { id: randomUUID(), type: 'order.created', topic: 'orders', key: orderId, ...at, data }
}

/** Until notifications has nothing left to handle. */
async function settled(stack: TestStack): Promise<void> {
  for (const topic of ['orders', 'users']) {
    await waitFor('no lag', async () => (await metricOf(stack, 'consumer_lag', topic)) === 0, limit)
  }
}

/** A metric of notifications. Undefined while it has none. */
async function metricOf(stack: TestStack, name: string, topic: string): Promise<number | undefined> {
  const text = await (await fetch(`${stack.urlOf('notifications')}/metrics`)).text()
  const line = text.split('\n').find((line) => line.startsWith(`${name}{`) && line.includes(`topic="${topic}"`))
  return line === undefined ? undefined : Number(line.split(' ').at(-1))
}

/** Runs the script, as an operator does. */
function run({ eventLog }: TestStack, command: string, selection: object = {}, ...options: string[]): string {
  const chosen = Object.entries(selection).flatMap(([name, value]) => [`--${name}`, value])
  const { stdout, stderr, status } = spawnSync(process.execPath, ['tools/replay.ts', command, ...chosen, ...options], {
    cwd: root,
    env: { PATH: process.env.PATH, ...eventLog },
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return stdout
}
