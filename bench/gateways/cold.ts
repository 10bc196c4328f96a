/** The first moments of gateways, in interleaved rounds: from the start of a process until it answers, and its first requests. */
import { median } from '../cpu.ts'
import { createLoad } from './load.ts'
import { openPlace } from './place.ts'
import { familyCpu, familyMemory } from './processes.ts'
import { aligned } from './report.ts'
import { isAvailable, type RowName, rows, startGateway } from './rows.ts'

/** Of one start: milliseconds, of the clock and of CPU, and bytes. */
type Start = {
  readonly ready: number
  readonly readyCpu: number
  /** The first request for the heaviest operation, to an answer. */
  readonly first: number
  readonly firstCpu: number
  /** The same operation as a text that is new once more, by code that has run once. */
  readonly second: number
  readonly memory: number
}

/** Starts each gateway so many times, in turns, and prints the medians. */
export async function runCold(options: { rounds: number; rows: readonly RowName[]; hiveRouter: string | undefined }) {
  const { place, tokens, stop } = await openPlace(options.hiveRouter)
  try {
    const names = options.rows.filter((name) => isAvailable(name, place))
    const starts = new Map(names.map((name) => [name, [] as Start[]]))
    // The first of all starts also reads files that the system then has in memory, and the subgraphs answer for the first time.
    for (let round = -1; round < options.rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + Math.max(round, 0)) % names.length]
        if (!name) continue
        const start = await startOf(name)
        if (round >= 0) starts.get(name)?.push(start)
      }
    }
    console.log(`Medians of ${options.rounds} starts, in turns:\n\n${tableOf(starts)}`)
  } finally {
    await stop()
  }

  async function startOf(name: RowName): Promise<Start> {
    const load = createLoad(tokens)
    const begun = performance.now()
    const gateway = await startGateway(name, place)
    try {
      const ready = performance.now() - begun
      const readyCpu = familyCpu(gateway.pid)
      const memory = familyMemory(gateway.pid)
      const first = await load.fresh(gateway, 'heavy', 1)
      const second = await load.fresh(gateway, 'heavy', 1)
      return { ready, readyCpu, first: first.wall, firstCpu: first.cpu, second: second.wall, memory }
    } finally {
      await gateway.stop()
      await load.close()
    }
  }
}

const columns: Readonly<Record<string, (start: Start) => number>> = {
  'ready ms': ({ ready }) => ready,
  'CPU ms': ({ readyCpu }) => readyCpu,
  'first plan ms': ({ first }) => first,
  'its CPU ms': ({ firstCpu }) => firstCpu,
  'next plan ms': ({ second }) => second,
  MB: ({ memory }) => memory / 1e6,
}

function tableOf(starts: ReadonlyMap<RowName, readonly Start[]>): string {
  const middle = (name: RowName, of: (start: Start) => number) => median((starts.get(name) ?? []).map(of))
  const lines = [...starts.keys()].map((name) => [
    rows[name].label,
    ...Object.values(columns).map((of) => {
      const value = middle(name, of)
      const ratio = starts.has('apollo') ? ` (${(value / middle('apollo', of)).toFixed(2)}x)` : ''
      return `${value.toFixed(0)}${ratio}`
    }),
  ])
  return aligned([['cold', ...Object.keys(columns)], ...lines])
}
