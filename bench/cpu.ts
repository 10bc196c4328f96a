import { readdirSync, readFileSync } from 'node:fs'

/** CPU milliseconds that a process has used, all its threads, from the operating system. 0 for one that is gone. Linux only. */
export function cpuOf(pid: number): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`)
    const used = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    return used.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6
  } catch {
    return 0
  }
}

/** CPU milliseconds per request that a process uses for some. */
export async function cpuPerRequest(
  pid: number | undefined,
  requests: number,
  make: () => Promise<unknown>,
): Promise<number> {
  const before = cpuOf(pid ?? 0)
  await make()
  return (cpuOf(pid ?? 0) - before) / requests
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** The processes of this machine that run a program. */
export function pidsOf(program: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program
    } catch {
      return false
    }
  })
}
