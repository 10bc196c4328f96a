import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../tools/services.ts'
import type { Arguments } from './arguments.ts'
import { chart } from './chart.ts'
import { findHighest, mostRate } from './find.ts'
import type { Ran } from './generator.ts'
import { type Load, startLoad } from './load.ts'
import type { Mix } from './mix.ts'
import { readProfiles } from './profile.ts'
import { report } from './report.ts'
import { holds, measure, type Step } from './run.ts'
import { settled } from './settle.ts'
import { type Asked, createShared, type Open, type Shared, sharedTable } from './shared.ts'
import { type Shop, startShop } from './shop.ts'
import { createUsage, type Usage } from './usage.ts'

export const results = join(root, 'bench/results')
/** Seconds for which the first rate of a search comes before anything is measured. */
const compileTime = 60

export type Session = { shop: Shop; load: Load; shared: Shared; usage: Usage }

/** Starts the shop and its load, lets `work` measure, and ends all of it, whatever happens. Then the profiles are there. */
export async function withShop(args: Arguments, mix: Mix, work: (session: Session) => Promise<Step[]>): Promise<void> {
  const { customers, products, real, instances, before, cache } = args
  mkdirSync(results, { recursive: true })
  const profiles = args.profile ? join(results, 'profiles') : undefined
  if (profiles) rmSync(profiles, { recursive: true, force: true })
  const shop = await startShop({ real, instances, before, cache, profiles, customers, products })
  let load: Load | undefined
  let shared: Shared | undefined
  let steps: Step[]
  const from = Number(process.hrtime.bigint() / 1_000n)
  let to = 0
  try {
    const urls = shop.stack.instancesOf('gateway').map((url) => `${url}/graphql`)
    load = await startLoad({ urls, mix, customers: shop.customers, products })
    shared = await createShared(shop)
    steps = await work({ shop, load, shared, usage: createUsage(shop, load.pid) })
    to = Number(process.hrtime.bigint() / 1_000n)
  } finally {
    await load?.stop()
    await shared?.close()
    await shop.stop()
  }
  if (!profiles || steps.length === 0) return
  console.log(readProfiles(profiles, [from, to]))
}

/** Measures one rate, or searches the highest that holds. Prints each step, and answers all of them and the highest. */
export async function measureRates(
  { shop, load, shared, usage }: Session,
  args: Arguments,
  also: Also = async () => ({}),
) {
  const { seconds, warmUp } = args
  const rate = args.rate ?? 100
  const steps: (Step & { further?: Record<string, number>; asked: Asked; open: Open })[] = []
  const at = async (rate: number) => {
    const end = await shared.begin()
    const { step, orders } = await measure({ load, usage }, { rate, seconds, warmUp })
    const open = await shared.open()
    await settled(shop.postgres)
    const asked = await end()
    const further = await also(orders)
    steps.push({ ...step, further, asked, open })
    const good = holds(step)
    console.log(report(step))
    console.log(sharedTable(asked, rate * (warmUp + seconds), open))
    for (const [name, value] of Object.entries(further)) console.log(`${name}: ${value.toFixed(1)}`)
    console.log(`${rate} a second ${good ? 'holds' : 'does not hold'}\n`)
    return good
  }
  if (args.mode !== 'find') {
    await at(rate)
    return { steps, highest: undefined }
  }
  // Code that has just started is still being compiled.
  await load.run({ rate, seconds: compileTime })
  // A machine stalls now and then, whatever runs on it: a rate is lost when it is lost twice.
  const twice = async (rate: number) => (await at(rate)) || at(rate)
  const highest = await findHighest({ from: rate, most: mostRate }, twice)
  console.log(
    highest === undefined ? 'No rate that was tried holds.' : `The highest rate that holds: ${highest} a second`,
  )
  return { steps, highest }
}

/** Figures beside those of the requests, from the orders that were paid. */
export type Also = (orders: Ran['orders']) => Promise<Record<string, number>>

/** Writes what was measured as JSON, and as a chart, and says where. */
export function writeResults(
  name: string,
  args: Arguments,
  measured: { steps: Step[]; highest: number | undefined },
): void {
  const { real, instances, before, cache } = args
  const full = [
    name,
    ...(real ? ['real'] : []),
    ...(instances > 1 ? [String(instances)] : []),
    ...(before ? ['before'] : []),
    ...(cache ? ['cache'] : []),
  ].join('-')
  const { steps, highest } = measured
  const file = join(results, full)
  writeFileSync(
    `${file}.json`,
    `${JSON.stringify({ at: new Date().toISOString(), arguments: args, highest, steps }, null, 2)}\n`,
  )
  const chosen = steps.find(({ rate }) => rate === highest) ?? steps.at(-1)
  if (chosen) writeFileSync(`${file}.svg`, chart(full, steps, chosen))
  console.log(`Written: ${file}.json and .svg`)
}
