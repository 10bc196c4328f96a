/**
 * `npm run memory`: the memory of a running shop, all its processes and PostgreSQL, as proportional set size: a page that
 * several processes share counts once. Linux only.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parents, processFile, proportionalSize } from './infra/processes.ts'
import { dataFolder, readyShop } from './infra/run-file.ts'

try {
  report()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function report(): void {
  if (!existsSync('/proc/self/smaps_rollup')) throw new Error('This needs /proc/<pid>/smaps_rollup, as Linux has it.')
  const { supervisor, postgres } = readyShop(dataFolder)
  const server = postgres && Number(readFileSync(join(postgres, 'postmaster.pid'), 'utf8').split('\n')[0])
  const parentOf = parents()
  const withAncestors = (pid: number): number[] => (pid ? [pid, ...withAncestors(parentOf.get(pid) ?? 0)] : [])

  const sizes = new Map<string, number>()
  for (const pid of parentOf.keys()) {
    const family = withAncestors(pid)
    const name =
      server && family.includes(server) ? 'PostgreSQL' : family.includes(supervisor) && nameOf(pid, supervisor)
    if (name) sizes.set(name, (sizes.get(name) ?? 0) + proportionalSize(pid))
  }
  for (const [name, size] of sizes) console.log(`${name.padEnd(14)} ${megabytes(size)}`)
  console.log(`${'all together'.padEnd(14)} ${megabytes([...sizes.values()].reduce((sum, size) => sum + size, 0))}`)
}

/** What a process that the supervisor started is called, or the supervisor itself. */
function nameOf(pid: number, supervisor: number): string {
  if (pid === supervisor) return 'supervisor'
  const [, name] = /(?:subgraphs\/)?(\w+)\/main\.ts/.exec(processFile(pid, 'cmdline')) ?? []
  return name ?? 'other'
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0).padStart(5)} MB`
}
