/**
 * `npm run memory`: the memory of a running shop, all its processes and PostgreSQL, as proportional set size: a page that
 * several processes share counts once. Linux only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root } from './services.ts'

const run = join(resolve(process.env.DATA_DIR || join(root, '.data')), 'run.json')
if (!existsSync(run) || !existsSync('/proc/self/smaps_rollup')) {
  console.error(existsSync(run) ? 'This needs /proc/<pid>/smaps_rollup, as Linux has it.' : 'The shop is not running.')
  process.exit(1)
}
const { supervisor, postgres } = JSON.parse(readFileSync(run, 'utf8')) as { supervisor: number; postgres?: string }
const processes = readdirSync('/proc')
  .filter((name) => /^\d+$/.test(name))
  .map(Number)
const parents = new Map(processes.map((pid) => [pid, parentOf(pid)]))
const server = postgres ? Number(readFileSync(join(postgres, 'postmaster.pid'), 'utf8').split('\n')[0]) : undefined

const sizes = new Map<string, number>()
for (const pid of processes) {
  const name = pid === server || ancestors(pid).includes(server) ? 'PostgreSQL' : ours(pid)
  if (name) sizes.set(name, (sizes.get(name) ?? 0) + proportionalSize(pid))
}
for (const [name, size] of sizes) console.log(`${name.padEnd(14)} ${megabytes(size)}`)
console.log(`${'all together'.padEnd(14)} ${megabytes([...sizes.values()].reduce((sum, size) => sum + size, 0))}`)

/** What a process of the shop is called. */
function ours(pid: number): string | undefined {
  if (pid === supervisor) return 'supervisor'
  if (!ancestors(pid).includes(supervisor)) return undefined
  const [, name] = /(?:subgraphs\/)?(\w+)\/main\.ts/.exec(read(pid, 'cmdline')) ?? []
  return name ?? 'other'
}

function ancestors(pid: number): (number | undefined)[] {
  const parent = parents.get(pid)
  return parent ? [parent, ...ancestors(parent)] : []
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
