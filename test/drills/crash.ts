import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessName, processNames } from '../../tools/stack.ts'
import { kafkaBrokers } from '../infra/parts.ts'
import { seededRandom } from '../infra/random.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { audit, unrest } from './crash-books.ts'
import { liveThrough, type Shop } from './crash-plans.ts'
import type { Drill } from './drill.ts'

/** Seconds that items are held, an attempt to place an order may take, and the provider has to tell its outcome. */
const hold = 8
const lease = 2
const patience = 2
/** Of each product, and of a scarce one, which not every order gets. */
const stocks = [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 25]
const customers = 6
const workers = 8
/** Milliseconds for everything to come to rest. */
const restLimit = 180_000

export const crash: Drill = {
  summary:
    'orders placed, paid, declined, cancelled, refunded and shipped while every process is killed with -9 at random',
  async run({ short, print, seed = Math.floor(Math.random() * 2 ** 31) }) {
    const [orders, killsOfEach] = short ? [40, 1] : [300, 10]
    const kills = killsOfEach * processNames.length
    const events = short || !kafkaBrokers() ? 'PostgreSQL' : 'Kafka'
    print(`seed ${seed}: npm run drill -- crash ${seed} draws the same plans and the same victims`)
    const stack = await startTestStack({
      events,
      extra: {
        products: { env: { RESERVATION_HOLD: String(hold), RESERVATION_SWEEP_INTERVAL: '1' } },
        orders: { env: { ORDER_CLAIM_LEASE: String(lease) } },
        payments: { env: { PAYMENT_PATIENCE: String(patience) } },
      },
    })
    try {
      const figures = new Map<string, number>()
      const count = (what: string) => figures.set(what, (figures.get(what) ?? 0) + 1)
      const shop = await open(stack, count)
      const started = performance.now()
      let [begun, placed, killed] = [0, 0, 0]
      const killsOf = Object.fromEntries(processNames.map((name) => [name, 0])) as Record<ProcessName, number>
      const working = () => placed < orders || killed < kills
      const work = Array.from({ length: workers }, async (_, n) => {
        while (working()) {
          // By its place, so that what is drawn for an order does not depend on how fast the others go.
          const random = seededRandom(seed + ++begun)
          if (await liveThrough({ ...shop(n), random })) placed += 1
        }
      })
      const victims = seededRandom(seed)
      const killing = killInTurn(stack, victims, (name) => {
        killed += 1
        killsOf[name] += 1
        return working()
      })
      await Promise.all([...work, killing])
      print(`${placed} orders over ${events} in ${secondsSince(started)} s, ${killed} processes killed with -9:`)
      print(`  ${processNames.map((name) => `${name} ${killsOf[name]}`).join(', ')}`)
      assert.ok(placed >= orders && Object.values(killsOf).every((times) => times >= killsOfEach))
      for (const [what, times] of [...figures].sort()) print(`  ${what.padEnd(40)} ${times}`)
      const rest = performance.now()
      await comeToRest(stack)
      print(`at rest after ${secondsSince(rest)} s`)
      await audit(
        stack,
        stocks.reduce((sum, one) => sum + one, 0),
        print,
      )
    } finally {
      await stack.stop()
    }
  },
}

async function open(stack: TestStack, count: Shop['count']) {
  const products = await stack.addProducts(...stocks)
  const manager = await stack.employ('MANAGER')
  const accounts = await Promise.all(Array.from({ length: customers }, () => stack.signUp()))
  return (n: number): Omit<Shop, 'random'> => {
    const customer = accounts[n % customers]
    if (!customer) throw new Error('There are customers.')
    return { stack, customer, manager, products, count }
  }
}

/** Kills one process after the other, each round in another order, while it is told to go on. */
async function killInTurn(
  stack: TestStack,
  random: () => number,
  goOn: (killed: ProcessName) => boolean,
): Promise<void> {
  for (;;) {
    const round = processNames.map((name) => [random(), name] as const).sort(([a], [b]) => a - b)
    for (const [, name] of round) {
      await sleep(300 + random() * 1_500)
      const back = stack.processes[name].nextReady()
      stack.processes[name].kill('SIGKILL')
      await back
      if (!goOn(name)) return
    }
  }
}

async function comeToRest(stack: TestStack): Promise<void> {
  const deadline = Date.now() + restLimit
  for (;;) {
    const moving = await unrest(stack)
    if (moving.length === 0) return
    if (Date.now() > deadline) throw new Error(`Still after ${restLimit} ms: ${moving.join(', ')}`)
    await sleep(200)
  }
}

const secondsSince = (start: number) => ((performance.now() - start) / 1_000).toFixed(1)
