/** The run: answers are compared, gateways warmed up, then loaded in interleaved rounds. */
import assert from 'node:assert/strict'
import { createLoad, type Load, type Round } from './load.ts'
import { type OperationName, operations } from './operations.ts'
import { openPlace } from './place.ts'
import { familyMemory } from './processes.ts'
import { figuresOf, type Measured, memoryTable, type Results, tableOf, uncachedTable } from './report.ts'
import { writeResults } from './results.ts'
import { type Gateway, isAvailable, type RowName, rows, startGateway } from './rows.ts'

export type BenchOptions = {
  readonly quick: boolean
  readonly rows: readonly RowName[]
  readonly operations: readonly OperationName[]
  readonly hiveRouter: string | undefined
}

/** How often the requests of a round are sent, and how many texts are new. */
const sizes = {
  full: { rounds: 5, warmUp: 6, share: 1, fresh: 30 },
  quick: { rounds: 3, warmUp: 8, share: 0.25, fresh: 10 },
}

export async function runBench(options: BenchOptions): Promise<void> {
  const { place, tokens, stop } = await openPlace(options.hiveRouter)
  const load = createLoad(tokens)
  const gateways: Gateway[] = []
  try {
    for (const name of options.rows) {
      if (isAvailable(name, place)) gateways.push(await startGateway(name, place))
      else console.log(`${rows[name].label} is left out: HIVE_ROUTER_BIN names no binary.`)
    }
    for (const operation of options.operations) await compare(load, gateways, operation)
    console.log(`The answers are the same. CPU ms per request of the gateway, in the median of interleaved rounds:\n`)
    const results = await measureAll(load, gateways, options)
    console.log(`${uncachedTable(results)}\n\n${memoryTable(results)}\n`)
    await writeResults(results, options)
  } finally {
    await load.close()
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await stop()
  }
}

/** Fails where two gateways answer differently. */
async function compare(load: Load, gateways: readonly Gateway[], operation: OperationName): Promise<void> {
  const [first, ...others] = gateways
  if (!first) throw new Error('None of these gateways can be started here.')
  const expected = await load.answers(first, operation)
  for (const other of others) {
    assert.deepEqual(await load.answers(other, operation), expected, `${other.name} and ${first.name}, ${operation}`)
  }
}

async function measureAll(load: Load, gateways: readonly Gateway[], options: BenchOptions): Promise<Results> {
  const size = options.quick ? sizes.quick : sizes.full
  const results = new Map(gateways.map(({ name }) => [name, createResult()]))
  const remember = ({ name, pid }: Gateway): void => {
    const memory = results.get(name)?.memory
    if (!memory) return
    memory.after = familyMemory(pid)
    memory.peak = Math.max(memory.peak, memory.after)
  }
  for (const operation of options.operations) {
    const requests = Math.ceil(operations[operation].requests * size.share)
    for (const gateway of gateways) await load.round(gateway, operation, requests * size.warmUp)
    const measured = await interleaved(gateways, size.rounds, async (gateway) => {
      const round = await load.round(gateway, operation, requests)
      remember(gateway)
      return round
    })
    const figures = new Map([...measured].map(([name, rounds]) => [name, figuresOf(rounds)]))
    console.log(`${tableOf(operation, Object.fromEntries(figures))}\n`)
    for (const [name, its] of figures) Object.assign(results.get(name)?.operations ?? {}, { [operation]: its })
  }
  for (const gateway of gateways) remember(gateway)
  // The last, since what it leaves in caches no other figure should contain.
  for (const operation of options.operations) {
    const measured = await interleaved(gateways, size.rounds, (gateway) => load.fresh(gateway, operation, size.fresh))
    for (const [name, rounds] of measured) {
      Object.assign(results.get(name)?.uncached ?? {}, { [operation]: figuresOf(rounds).cpu })
    }
  }
  return Object.fromEntries(results)
}

function createResult(): Measured & { memory: { peak: number; after: number } } {
  return { operations: {}, uncached: {}, memory: { peak: 0, after: 0 } }
}

/** Rounds of all gateways in turns. Each goes first in its turn. */
async function interleaved(
  gateways: readonly Gateway[],
  rounds: number,
  run: (gateway: Gateway) => Promise<Round>,
): Promise<Map<RowName, Round[]>> {
  const measured = new Map<RowName, Round[]>(gateways.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < gateways.length; turn++) {
      const gateway = gateways[(round + turn) % gateways.length]
      if (gateway) measured.get(gateway.name)?.push(await run(gateway))
    }
  }
  return measured
}
