import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root } from '../services.ts'
import { writePrivately } from './secrets.ts'

/** Where `npm start` keeps what belongs to its shop. */
export const dataFolder = resolve(process.env.DATA_DIR || join(root, '.data'))

/** Where a shop that is ready has its parts. */
export type Parts = { gateway: string; mail: string; auditLog: string; postgres: string | undefined }

/** `run.json`: which process has the data folder. The rest is there when the shop is ready. */
type RunFile = {
  supervisor: number
  /** When the supervisor started, by which it is told from a later process with the same id. Linux only. */
  startedAt: string | undefined
} & Partial<Parts>

export type Claim = {
  /** Tells everyone that the shop is ready, and where. */
  publish(parts: Parts): void
  /** Gives the folder back. */
  release(): void
}

/**
 * Makes the data folder this process's own. Throws when another process that lives has it; one that was killed has lost it.
 *
 * Guarantee: of several that claim a folder at once, one gets it.
 */
export function claimFolder(folder: string): Claim {
  const file = fileIn(folder)
  const draft = `${file}.${process.pid}`
  const owner: RunFile = { supervisor: process.pid, startedAt: startOf(process.pid) }
  writePrivately(draft, owner)
  try {
    // A link is made whole or not at all, and never over a file that is there.
    while (!succeeds('EEXIST', () => linkSync(draft, file))) discardStale(folder, draft)
  } finally {
    rmSync(draft)
  }
  return {
    publish: (parts) => writePrivately(file, { ...owner, ...parts }),
    release: () => rmSync(file, { force: true }),
  }
}

/** The shop that is ready over the folder. Throws where there is none. */
export function readyShop(folder: string): { supervisor: number } & Parts {
  const run = read(fileIn(folder))
  if (!run || !isAlive(run)) throw new Error('The shop is not running. Start it with npm start.')
  const { supervisor, gateway, mail, auditLog, postgres } = run
  if (!gateway || !mail || !auditLog)
    throw new Error('The shop is still starting. Try again when it says that it is ready.')
  return { supervisor, gateway, mail, auditLog, postgres }
}

/**
 * Removes the file of a process that is gone, unless another claimant is about to. Throws when it lives. `draft`: the file of this
 * process.
 */
function discardStale(folder: string, draft: string): void {
  const file = fileIn(folder)
  requireGone(folder, read(file))
  const lock = `${file}.lock`
  if (!succeeds('EEXIST', () => linkSync(draft, lock))) {
    const holder = read(lock)
    if (holder && !isAlive(holder)) rmSync(lock, { force: true })
    return
  }
  try {
    // Read again: it may be another's by now. One that is stale is removed by nobody else, and so stays what it is.
    if (!existsSync(file)) return
    requireGone(folder, read(file))
    rmSync(file)
  } finally {
    rmSync(lock)
  }
}

function requireGone(folder: string, run: RunFile | undefined): void {
  if (!run || !isAlive(run)) return
  throw new Error(
    `A shop runs over ${folder} already, as process ${run.supervisor}. Stop it first, or set DATA_DIR to another folder.`,
  )
}

function isAlive({ supervisor, startedAt }: RunFile): boolean {
  if (startedAt !== undefined) return startOf(supervisor) === startedAt
  try {
    return process.kill(supervisor, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** When a process started, in the kernel's ticks. Undefined when it has ended, and where the kernel does not say. */
function startOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // What follows the program's name, which is in brackets and may hold anything: the third field and the next ones.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  return state === 'Z' || state === 'X' ? undefined : start
}

function fileIn(folder: string): string {
  return join(folder, 'run.json')
}

/** Undefined where there is none, or one that a power failure left half written. */
function read(file: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** False when it fails with the one code that is expected. */
function succeeds(expected: string, action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (codeOf(error) !== expected) throw error
    return false
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}
