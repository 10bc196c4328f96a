import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../infra/wait.ts'

/** What a process holds. */
export type Resources = {
  /** Bytes in use once what nobody needs is collected. */
  heap: number
  /** Open sockets. Undefined where the system does not say it as Linux does. */
  sockets: number | undefined
}

/** Milliseconds in which a process gives back what it needs no more: idle connections end within 10 s. */
const limit = 40_000
/** What a process may hold more than before: what it has learned meanwhile, and connections that are kept. */
const heapMargin = 24 * 1024 * 1024
const socketMargin = 8

/** A look into a process that is started with these options and this variable. */
export function createResourceProbe() {
  const folder = mkdtempSync(join(tmpdir(), 'resources-'))
  const file = join(folder, 'heap')
  return {
    nodeOptions: ['--expose-gc', '--import', fileURLToPath(new URL('heap-probe.ts', import.meta.url))],
    env: { HEAP_FILE: file },
    async read(pid: number): Promise<Resources> {
      rmSync(file, { force: true })
      process.kill(pid, 'SIGUSR2')
      const heap = await waitFor('the size of the heap', () => existsSync(file) && Number(readFileSync(file, 'utf8')))
      return { heap, sockets: socketsOf(pid) }
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}

export type ResourceProbe = ReturnType<typeof createResourceProbe>

/** Waits until a process holds no more than before, but for a margin. Throws, saying what it holds, where it does not. */
export async function settled(now: () => Promise<Resources>, before: Resources): Promise<Resources> {
  let last = await now()
  const isBack = ({ heap, sockets = 0 }: Resources) =>
    heap <= before.heap + heapMargin && sockets <= (before.sockets ?? 0) + socketMargin
  try {
    await waitFor(
      'what was held before',
      async () => {
        if (!isBack(last)) last = await now()
        return isBack(last)
      },
      limit,
    )
  } catch (error) {
    throw new Error(`before: ${tell(before)}; now: ${tell(last)}`, { cause: error })
  }
  return last
}

export function tell({ heap, sockets }: Resources): string {
  return `${(heap / 1024 / 1024).toFixed(0)} MB in use${sockets === undefined ? '' : `, ${sockets} sockets`}`
}

function socketsOf(pid: number): number | undefined {
  const folder = `/proc/${pid}/fd`
  if (!existsSync(folder)) return undefined
  return readdirSync(folder).filter((descriptor) => isSocket(join(folder, descriptor))).length
}

/** One that is closed meanwhile is none. */
function isSocket(descriptor: string): boolean {
  try {
    return readlinkSync(descriptor).startsWith('socket:')
  } catch {
    return false
  }
}
