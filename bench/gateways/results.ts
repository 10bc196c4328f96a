/** What a run leaves behind: figures as JSON. */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/services.ts'
import type { BenchOptions } from './bench.ts'
import { concurrency } from './load.ts'
import { peerVersions } from './peers.ts'
import { type Ratios, type Results, ratiosTo } from './report.ts'

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

/** Writes `bench/results/<time>.json`. */
export async function writeResults(rows: Results, { quick }: BenchOptions): Promise<void> {
  const report = reportOf(rows, quick, new Date(), peerVersions())
  const folder = join(root, 'bench/results')
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${report.at.replaceAll(':', '-')}.json`)
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`Written to ${file}`)
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
