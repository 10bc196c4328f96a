/** The run: answers are compared, gateways warmed up, then loaded in interleaved rounds. */
import assert from 'node:assert/strict'
import { createLoad, type Load, type Round } from './load.ts'
import { type OperationName, operations } from './operations.ts'
import { openPlace } from './place.ts'
import { familyMemory } from './processes.ts'
import { figuresOf, type Memory, memoryTable, type Results, tableOf } from './report.ts'
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
  full: { rounds: 7, warmUp: 4, share: 1, fresh: 40 },
  quick: { rounds: 3, warmUp: 2, share: 0.5, fresh: 10 },
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
    console.log(`${memoryTable(results)}\n`)
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
  const figures = new Map<string, ReturnType<typeof figuresOf>>()
  const peaks = new Map<RowName, number>()
  const remember = ({ name, pid }: Gateway) => {
    const memory = familyMemory(pid)
    peaks.set(name, Math.max(memory, peaks.get(name) ?? 0))
    return memory
  }
  for (const operation of options.operations) {
    const requests = Math.ceil(operations[operation].requests * size.share)
    for (const gateway of gateways) {
      await load.round(gateway, operation, requests * size.warmUp)
      remember(gateway)
    }
    const measured = await interleaved(gateways, size.rounds, async (gateway) => {
      const round = await load.round(gateway, operation, requests)
      remember(gateway)
      return round
    })
    for (const [name, rounds] of measured) figures.set(`${name} ${operation}`, figuresOf(rounds))
  }
  const memory = new Map<RowName, Memory>()
  for (const gateway of gateways) {
    const after = remember(gateway)
    memory.set(gateway.name, { peak: peaks.get(gateway.name) ?? after, after })
  }
  // The last, since what it leaves in caches no other figure should contain.
  const uncached = new Map<string, number>()
  for (const operation of options.operations) {
    const measured = await interleaved(gateways, size.rounds, (gateway) => load.fresh(gateway, operation, size.fresh))
    for (const [name, rounds] of measured) uncached.set(`${name} ${operation}`, figuresOf(rounds).cpu)
  }

  const results: Results = {}
  for (const { name } of gateways) {
    const of = <Value>(from: Map<string, Value>) =>
      Object.fromEntries(
        options.operations.flatMap((operation) => {
          const value = from.get(`${name} ${operation}`)
          return value === undefined ? [] : [[operation, value]]
        }),
      )
    results[name] = {
      operations: of(figures),
      uncached: of(uncached),
      memory: memory.get(name) ?? { peak: 0, after: 0 },
    }
  }
  for (const operation of options.operations) console.log(`${tableOf(results, operation)}\n`)
  return results
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
