import type { Arguments } from './arguments.ts'
import { shopMix } from './mix.ts'
import { sumOfShop } from './report.ts'
import type { Step } from './run.ts'
import { measureRates, withShop, writeResults } from './session.ts'

/**
 * Searches the highest rate twice, first `--before` and then as the shop is, and prints both in the specification's table. The first rate
 * of each search is the same, which compares what one load costs.
 */
export async function compare(args: Arguments): Promise<void> {
  const columns: Column[] = []
  for (const before of [true, false]) {
    const own = { ...args, mode: 'find' as const, before }
    await withShop(own, shopMix, async (session) => {
      const measured = await measureRates(session, own)
      writeResults('compare', own, measured)
      columns.push(columnOf(measured))
      return measured.steps
    })
  }
  console.log(table(columns))
}

type Column = { highest: number | undefined; bounded: Step | undefined; same: Step }

function columnOf({ highest, steps }: { highest: number | undefined; steps: Step[] }): Column {
  const [same] = steps
  if (!same) throw new Error('Nothing was measured.')
  return { highest, bounded: steps.findLast(({ rate }) => rate === highest), same }
}

function table(columns: Column[]): string {
  const rows: [string, (column: Column) => string][] = [
    ['highest rate that holds, requests/s', ({ highest }) => String(highest ?? 'none')],
    ...ofStep('at the same rate: ', ({ same }) => same),
    ...ofStep('at its highest rate: ', ({ bounded }) => bounded),
  ]
  function ofStep(title: string, stepOf: (column: Column) => Step | undefined): typeof rows {
    const figure = (name: string, value: (step: Step) => string): (typeof rows)[number] => [
      `${title}${name}`,
      (column) => {
        const step = stepOf(column)
        return step ? value(step) : '-'
      },
    ]
    return [
      figure('requests/s', ({ rate }) => String(rate)),
      figure('p50, ms', ({ all }) => all.p50.toFixed(1)),
      figure('p99, ms', ({ all }) => all.p99.toFixed(1)),
      figure('errors, %', ({ all }) => ((all.failed / all.count) * 100).toFixed(2)),
      figure('memory, MB', ({ memory }) => (sumOfShop(memory) / 1e6).toFixed(0)),
      figure('CPU, ms a request', ({ used, all }) => (sumOfShop(used.parts) / all.count).toFixed(2)),
      figure('CPU, % of the machine', ({ used: { parts, others, idle } }) => {
        const all = Object.values(parts).reduce((sum, ms) => sum + ms, others + idle)
        return (((all - idle) / all) * 100).toFixed(0)
      }),
    ]
  }
  const line = (title: string, cells: string[]) =>
    [title.padEnd(44), ...cells.map((cell) => cell.padStart(9))].join(' ')
  return [line('', ['before', 'after']), ...rows.map(([title, value]) => line(title, columns.map(value)))].join('\n')
}
