/**
 * `npm run memory`: the memory of a running shop, all its processes and PostgreSQL, as proportional set size: a page that
 * several processes share counts once. Linux only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  const parents = new Map(processes.map((pid) => [pid, parentOf(pid)]))
  const withAncestors = (pid: number): number[] => (pid ? [pid, ...withAncestors(parents.get(pid) ?? 0)] : [])

  const sizes = new Map<string, number>()
  for (const pid of processes) {
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
  const [, name] = /(?:subgraphs\/)?(\w+)\/main\.ts/.exec(read(pid, 'cmdline')) ?? []
  return name ?? 'other'
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0)
}

/** Bytes. */
function proportionalSize(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) * 1024
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0).padStart(5)} MB`
}
