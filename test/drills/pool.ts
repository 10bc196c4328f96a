import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { request } from 'undici'
import type { Health } from '#platform/health.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile, stockQuery } from './drill.ts'
import { type Answer, type Load, others, readers, startLoad, untilDone } from './pool-load.ts'

/** Connections of products, and calls that wait for one: few enough that a slow machine, too, sends more at a time. */
const poolSize = 4
const queue = 8
/** Milliseconds from which on a refusal counts as one that waited for its turn first. */
const waited = 1_500
/**
 * Milliseconds between a client's answer and its next request, and until the pool is told of; milliseconds at p99 that a refusal may
 * take after a wait and at once, and what other answers may take longer in the median; share of whole answers while nothing is held:
 * the machine may stand still for a moment, after which all come at once. In the short run, beside other tests, it is slow besides.
 */
const bounds = {
  full: { pause: 300, detection: 10_000, late: 2_500, atOnce: 500, slower: 10, whole: 0.95 },
  short: { pause: 600, detection: 30_000, late: 10_000, atOnce: waited, slower: 1_000, whole: 0.5 },
}

export const pool: Drill = {
  summary:
    'long transactions hold every connection of products: noticed in time, its fields refused within 2 s, the rest as ever, and whole again by itself',
  async run({ short, print }) {
    const env = { DATABASE_POOL_SIZE: String(poolSize), DATABASE_POOL_QUEUE: String(queue) }
    const bound = bounds[short ? 'short' : 'full']
    const stack = await startTestStack({ extra: { products: { env } } })
    try {
      const { token } = await stack.signUp()
      const manager = await stack.employ('MANAGER')
      const initial = 1_000
      const products = await stack.addProducts(...Array<number>(poolSize + 10).fill(initial))
      const [held, sold = ''] = [products.slice(0, poolSize), products[poolSize]]
      const read = products.slice(poolSize + 1)
      await stack.placeOrder(token, sold)

      const load = startLoad(stack, token, { read, available: initial, sold, pause: bound.pause })
      const enough = () => load.reads.length > 10 * readers && load.rest.length > 10 * others
      await load.until('processes that are warm', enough)
      load.take()
      await load.until('answers before', enough)
      const usual = load.take()
      print(`before: ${figures(usual.rest)} of other services, ${figures(usual.reads)} of products`)
      assert.ok(wholeShare(usual.reads) >= bound.whole)

      const rounds = short ? 1 : 3
      for (let round = 1; round <= rounds; round++) {
        const { detected, waiting, during, recovered, up } = await exhaust(stack, load, {
          held,
          token: manager.token,
          detection: bound.detection,
        })
        load.take()
        await load.until('answers after', enough)
        const after = load.take()

        const { late, atOnce } = refused(during.reads)
        print(`round ${round}: DEGRADED ${detected} ms after the last connection was held, ${waiting} calls waiting`)
        print(`  refused after a wait: ${figures(late)}; at once: ${figures(atOnce)}`)
        print(`  of other services: ${figures(during.rest)}`)
        print(`  first whole answer ${recovered} ms after the release, UP after ${up} ms, no restart`)
        print(`  after: ${figures(after.rest)} of other services, ${figures(after.reads)} of products`)
        assert.ok(percentile(times(late), 0.99) <= bound.late)
        assert.ok(percentile(times(atOnce), 0.99) <= bound.atOnce)
        assert.ok(percentile(times(during.rest), 0.5) <= 2 * percentile(times(usual.rest), 0.5) + bound.slower)
        assert.ok(wholeShare(after.reads) >= bound.whole)
      }

      const orders = await load.stop()
      await proveStock(stack, { held, added: rounds, sold, orders: orders + 1, initial }, print)
      assert.deepEqual(
        stack.output.filter((line) => / ended: |"level":"?error/.test(line)),
        [],
      )
      await waitFor('every connection to be back', async () => (await usage(stack)).used === 0)
    } finally {
      await stack.stop()
    }
  },
}

/** Holds every connection of products until it has said so and refused much, and lets them go. Times in milliseconds. */
async function exhaust(
  stack: TestStack,
  load: Load,
  { held, token, detection }: { held: string[]; token: string; detection: number },
) {
  const adjust = (input: object) => stack.mutate('adjustStock', 'product { available }', input, token)
  const saidBefore = said(stack, 'nearly used up')
  const locks = new pg.Client({ connectionString: stack.databases.products })
  await locks.connect()
  try {
    await locks.query('BEGIN')
    await locks.query('SELECT FROM products WHERE id = ANY($1) FOR UPDATE', [held])
    const adjustments = Promise.all(
      held.map((productId) => {
        const input = { productId, delta: 1, reason: 'found', idempotencyKey: randomUUID() }
        return untilDone(() => adjust(input))
      }),
    )
    adjustments.catch(() => {})
    await load.until('every connection to be held', async () => (await usage(stack)).used === poolSize)
    const full = performance.now()
    load.take()

    const reason = async () => (await health(stack)).dependencies.database?.reason
    await load.until('DEGRADED', async () => (await reason()) === 'POOL_NEARLY_USED_UP', detection)
    const detected = Math.round(performance.now() - full)
    assert.equal((await health(stack)).status, 'DEGRADED')
    assert.equal(said(stack, 'nearly used up'), saidBefore + 1)
    await load.until('refusals of both kinds, and other answers', () => {
      const { late, atOnce } = refused(load.reads)
      return late.length >= queue && atOnce.length >= queue && load.rest.length >= others
    })
    const { waiting } = await usage(stack)
    const during = load.take()

    await locks.query('COMMIT')
    const released = performance.now()
    await load.until('whole answers', () => load.reads.some(({ at, whole }) => whole && at > released))
    const recovered = Math.round(performance.now() - released)
    await adjustments
    await load.until('UP', async () => (await health(stack)).status === 'UP')
    const up = Math.round(performance.now() - released)
    assert.equal(said(stack, 'has room again'), saidBefore + 1)
    return { detected, waiting, during, recovered, up }
  } finally {
    await locks.end()
  }
}

type Sold = { held: string[]; added: number; sold: string; orders: number; initial: number }

/** Every adjustment and every order counts once, and nothing else does. */
async function proveStock(
  stack: TestStack,
  { held, added, sold, orders, initial }: Sold,
  print: (line: string) => void,
) {
  const [{ placed }] = await stack.sql('orders', 'SELECT count(*)::int AS placed FROM orders')
  assert.equal(placed, orders)
  for (const row of await stack.sql('products', stockQuery, [[...held, sold]])) {
    const expected = row.id === sold ? initial - orders : initial + added
    const { available, ledger, held } = row
    assert.deepEqual(
      { available, ledger, held },
      { available: expected, ledger: expected, held: row.id === sold ? orders : 0 },
    )
  }
  print(
    `no wrong answer; ${placed} orders and ${held.length * added} adjustments, each once; stock, ledger and holds agree`,
  )
}

/** The pool of products, as its metrics tell it. */
async function usage(stack: TestStack): Promise<Record<'used' | 'idle' | 'waiting' | 'max', number>> {
  const { body } = await request(`${stack.urlOf('products')}/metrics`)
  const lines = [...(await body.text()).matchAll(/^db_pool_connections\{state="(\w+)",.*\} (\d+)$/gm)]
  const {
    used = Number.NaN,
    idle = Number.NaN,
    waiting = Number.NaN,
    max = Number.NaN,
  } = Object.fromEntries(lines.map(([, state, value]) => [state, Number(value)]))
  return { used, idle, waiting, max }
}

/** What products says of itself. It stays ready throughout. */
async function health(stack: TestStack): Promise<Health> {
  const at = stack.urlOf('products')
  const [ready, report] = await Promise.all([request(`${at}/health/ready`), request(`${at}/health`)])
  assert.equal(ready.statusCode, 200)
  await ready.body.dump()
  return (await report.body.json()) as Health
}

const said = (stack: TestStack, what: string) =>
  stack.output.filter((line) => line.startsWith('products ') && line.includes(`database pool ${what}`)).length

function refused(answers: readonly Answer[]): Record<'late' | 'atOnce', Answer[]> {
  const all = answers.filter(({ whole }) => !whole)
  const { late = [], atOnce = [] } = Object.groupBy(all, ({ time }) => (time > waited ? 'late' : 'atOnce'))
  return { late, atOnce }
}

const times = (answers: readonly Answer[]) => answers.map(({ time }) => time)

const wholeShare = (answers: readonly Answer[]) => answers.filter(({ whole }) => whole).length / answers.length

function figures(answers: readonly Answer[]): string {
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(times(answers), share).toFixed(1))
  const whole = (100 * wholeShare(answers)).toFixed(1)
  return `${answers.length} answers (${whole} % whole), p50 ${p50} ms, p99 ${p99} ms`
}
