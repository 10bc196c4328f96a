/** What the rounds came to, as figures. */
import { median } from '../cpu.ts'
import type { Round } from './load.ts'
import { type OperationName, operationNames } from './operations.ts'
import { type RowName, rowNames, rows } from './rows.ts'

export type Figures = {
  /** CPU milliseconds of the gateway per request, the median of the rounds. */
  readonly cpu: number
  /** Requests a second over all rounds. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}
/** Bytes, proportional set size. */
export type Memory = { readonly peak: number; readonly after: number }

export type Measured = {
  readonly operations: Partial<Record<OperationName, Figures>>
  /** CPU milliseconds per request whose text was never seen, by operation. */
  readonly uncached: Partial<Record<OperationName, number>>
  readonly memory: Memory
}
export type Results = Partial<Record<RowName, Measured>>
/** By operation, CPU of ours with everything on, divided by that of another. */
export type Ratios = Partial<Record<OperationName, number>>

export function figuresOf(rounds: readonly Round[]): Figures {
  const latencies = rounds.flatMap((round) => round.latencies).sort((a, b) => a - b)
  const requests = rounds.reduce((sum, round) => sum + round.requests, 0)
  const wall = rounds.reduce((sum, round) => sum + round.wall, 0)
  return {
    cpu: median(rounds.map((round) => round.cpu / round.requests)),
    rate: (requests / wall) * 1_000,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }
}

/** The least of the sorted values that is not below that share of them. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Ours with everything on, against another. Empty where one of the two was not measured. */
export function ratiosTo(results: Results, other: RowName): Ratios {
  const ratios: Ratios = {}
  for (const name of operationNames) {
    const own = results['ours-on']?.operations[name]?.cpu
    const its = results[other]?.operations[name]?.cpu
    if (own !== undefined && its !== undefined) ratios[name] = own / its
  }
  return ratios
}

/** A table for a terminal, and as it stands in Markdown. */
export function tableOf(operation: OperationName, figures: Partial<Record<RowName, Figures>>): string {
  const lines = rowNames.flatMap((name) => {
    const { cpu, rate, p50, p99 } = figures[name] ?? {}
    if (cpu === undefined) return []
    return [
      [rows[name].label, cpu.toFixed(3), ratioOf(cpu, figures.apollo?.cpu), fixed(rate, 0), fixed(p50), fixed(p99)],
    ]
  })
  return aligned([[operation, 'CPU ms', 'of Apollo', 'requests/s', 'p50 ms', 'p99 ms'], ...lines])
}

/** What texts cost that were never seen, by operation. */
export function uncachedTable(results: Results): string {
  const measured = operationNames.filter((name) => Object.values(results).some(({ uncached }) => name in uncached))
  const lines = rowNames.flatMap((name) => {
    const costs = results[name]?.uncached
    return costs ? [[rows[name].label, ...measured.map((operation) => fixed(costs[operation], 2))]] : []
  })
  return aligned([['new texts, CPU ms', ...measured], ...lines])
}

function ratioOf(cpu: number, reference: number | undefined): string {
  return reference === undefined ? '' : `${(cpu / reference).toFixed(2)}x`
}

function fixed(value: number | undefined, digits = 1): string {
  return value?.toFixed(digits) ?? ''
}

export function memoryTable(results: Results): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
  const lines = rowNames.flatMap((name) => {
    const memory = results[name]?.memory
    return memory ? [[rows[name].label, megabytes(memory.peak), megabytes(memory.after)]] : []
  })
  return aligned([['memory, PSS', 'peak MB', 'after MB'], ...lines])
}

/** The first column to the left, the others to the right. */
export function aligned([head = [], ...lines]: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0), 3))
  const row = (cells: string[]) =>
    `| ${cells.map((cell, n) => (n ? cell.padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, n) => (n ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [row(head), row(rule), ...lines.map(row)].join('\n')
}
