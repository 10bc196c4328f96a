import { readdirSync, readFileSync } from 'node:fs'

/** What Linux tells of processes in `/proc`. Of one that is gone: 0, or nothing. */

/** Every process of the machine, with its parent. */
export function parents(): Map<number, number> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return new Map(
    pids.map((pid) => [Number(pid), Number(/^PPid:\s+(\d+)/m.exec(processFile(+pid, 'status'))?.[1] ?? 0)]),
  )
}

/** Bytes of memory, of which those that several processes share count in parts (proportional set size). */
export function proportionalSize(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(processFile(pid, 'smaps_rollup'))?.[1] ?? 0) * 1024
}

export function processFile(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
