/** What a run leaves behind: figures as JSON. */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/services.ts'
import type { BenchOptions } from './bench.ts'
import { chartOf } from './chart.ts'
import { concurrency } from './load.ts'
import { operationNames } from './operations.ts'
import { peerVersions } from './peers.ts'
import { type Ratios, type Results, ratiosTo } from './report.ts'
import { rowNames } from './rows.ts'

export type Report = {
  /** When it was run, ISO 8601. */
  readonly at: string
  readonly quick: boolean
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memory: number
    readonly linux: string
    readonly node: string
  }
  readonly versions: Readonly<Record<string, string | undefined>>
  readonly concurrency: number
  readonly rows: Results
  readonly ratios: { readonly toApollo: Ratios; readonly toHiveRust: Ratios; readonly toHiveRouter: Ratios }
}

/** Writes `bench/results/<time>.json`, and after a run of all there is the chart of the README. */
export async function writeResults(rows: Results, options: BenchOptions): Promise<void> {
  const report = reportOf(rows, options.quick, new Date(), peerVersions())
  const folder = join(root, 'bench/results')
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${report.at.replaceAll(':', '-')}.json`)
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`Written to ${file}`)
  if (isComplete(options)) await writeFile(join(root, 'docs/performance.svg'), chartOf(rows))
}

function isComplete({ quick, rows, operations }: BenchOptions): boolean {
  return !quick && rows.length === rowNames.length && operations.length === operationNames.length
}

export function reportOf(rows: Results, quick: boolean, at: Date, versions: Report['versions']): Report {
  const [first] = cpus()
  return {
    at: at.toISOString(),
    quick,
    machine: {
      cpu: first?.model ?? 'unknown',
      cores: cpus().length,
      memory: totalmem(),
      linux: release(),
      node: process.versions.node,
    },
    versions,
    concurrency,
    rows,
    ratios: {
      toApollo: ratiosTo(rows, 'apollo'),
      toHiveRust: ratiosTo(rows, 'hive-rust'),
      toHiveRouter: ratiosTo(rows, 'hive-router-unshared'),
    },
  }
}
