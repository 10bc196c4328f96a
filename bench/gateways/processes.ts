/** Processes of the bench: started until they answer, measured with their children, ended with the bench. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processFile, proportionalSize } from '../../tools/infra/processes.ts'
import { cpuOf } from '../cpu.ts'

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) signal(child, 'SIGKILL')
})
for (const reason of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(reason, () => process.exit(1))

export type Started = { readonly pid: number; readonly output: () => string; readonly stop: () => Promise<void> }

/** Starts a program in a process group of its own. Its environment is what is given, and the path. */
export function start(command: string, args: readonly string[], env: Record<string, string>, cwd?: string): Started {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...(cwd && { cwd }),
  })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    // The end is what tells why it did not start.
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-10_000)
    })
  }
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message
      resolve()
    })
    child.once('exit', () => resolve())
  }).finally(() => running.delete(child))
  return {
    pid: child.pid ?? 0,
    output: () => output,
    async stop() {
      signal(child, 'SIGTERM')
      const timer = setTimeout(() => signal(child, 'SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
    },
  }
}

/** To the process and its children. */
function signal({ pid }: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (pid) process.kill(-pid, name)
  } catch {
    // They have ended.
  }
}

/** Waits until there is a result. Throws with what the process said, when it ends or does not come to it in a minute. */
export async function until<T>(started: Started, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + 60_000
  do {
    const result = await look()
    if (result !== undefined) return result
    await sleep(10)
  } while (performance.now() < deadline && isAlive(started.pid))
  throw new Error(`A process of the bench did not start:\n${started.output()}`)
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}

/** CPU milliseconds that a process and its children have used. */
export function familyCpu(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + cpuOf(member), 0)
}

/** Bytes of memory of a process and its children, as proportional set size: shared pages count once. */
export function familyMemory(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + proportionalSize(member), 0)
}

function familyOf(pid: number): number[] {
  const tasks = listed(`/proc/${pid}/task`)
  const children = tasks.flatMap((task) => processFile(pid, `task/${task}/children`).split(' ').filter(Boolean))
  return [pid, ...children.flatMap((child) => familyOf(Number(child)))]
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
