import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Scrape, scrape } from '../../test/infra/scrape.ts'
import { processNames } from '../../tools/stack.ts'
import type { Arguments } from './arguments.ts'
import { sumOfShop } from './report.ts'
import { measure, type Step } from './run.ts'
import { results, type Session } from './session.ts'
import { count, eventsPending } from './settle.ts'

/** Samples that a soak takes at the least, and the seconds that one is at the most. */
const fewest = 20
const longest = 60

/** What must not grow with time under a load that does not. */
type Held = {
  memory: number
  outbox: number
  inbox: number
  connections: number
  waiting: number
  timers: number
  sockets: number
}

/** Keeps up one rate, and prints what is held after each stretch of it. */
export async function soak({ shop, load, usage }: Session, args: Arguments): Promise<Step[]> {
  const rate = args.rate ?? halfOfHighest(args)
  const seconds = Math.min(longest, (args.minutes * 60) / fewest)
  const end = performance.now() + args.minutes * 60_000
  console.log(`${rate} requests a second for ${args.minutes} minutes`)
  console.log(['minutes', 'p50', 'p99', 'max', 'failed', ...titles].map((title) => title.padStart(9)).join(' '))
  const steps: (Step & { held: Held })[] = []
  const begin = performance.now()
  for (let warmUp = args.warmUp; performance.now() < end; warmUp = 0) {
    const { step } = await measure({ load, usage }, { rate, seconds, warmUp })
    const held = await holdings(shop, step)
    steps.push({ ...step, held })
    const { p50, p99, max, failed } = step.all
    const minutes = (performance.now() - begin) / 60_000
    const figures = [minutes, p50, p99, max].map((value) => value.toFixed(1))
    console.log([...figures, failed, ...Object.values(held)].map((value) => String(value).padStart(9)).join(' '))
  }
  return steps
}

const titles = ['MB', 'outbox', 'inbox', 'pool', 'waiting', 'timers', 'sockets']

async function holdings({ stack, postgres }: Session['shop'], { memory }: Step): Promise<Held> {
  const scrapes = await Promise.all(processNames.flatMap((name) => stack.instancesOf(name)).map(scrape))
  const inboxes = await Promise.all(
    ['products', 'orders', 'payments', 'notifications'].map((name) => count(postgres, name, 'inbox')),
  )
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const all = (series: string) => sum(scrapes.map((scraped: Scrape) => scraped.get(series) ?? 0))
  return {
    memory: Math.round(sumOfShop(memory) / 1e6),
    outbox: await eventsPending(postgres),
    inbox: sum(inboxes),
    connections: all('db_pool_connections{state="used"}') + all('db_pool_connections{state="idle"}'),
    waiting: all('db_pool_connections{state="waiting"}'),
    timers: all('nodejs_active_resources{type="Timeout"}'),
    sockets: sum(processNames.map((name) => socketsOf(stack.processes[name].pid ?? 0))),
  }
}

/** Sockets that a process has open. */
function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((descriptor) => {
    try {
      return readlinkSync(join(folder, descriptor)).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

/** Of what a search on this machine has found. */
function halfOfHighest({ real }: Arguments): number {
  const file = join(results, real ? 'shop-real.json' : 'shop.json')
  let highest: unknown
  try {
    highest = JSON.parse(readFileSync(file, 'utf8')).highest
  } catch {
    // Then nothing was searched.
  }
  if (typeof highest !== 'number') throw new Error('Run with --find first, or give --rate.')
  return Math.max(1, Math.round(highest / 2))
}
