import type { Latencies } from './measures.ts'
import type { Step } from './run.ts'

/** A step as tables for a terminal. */
export function report({ rate, seconds, kinds, all, errors, used, memory }: Step): string {
  const number = (value: number, digits = 1) => value.toFixed(digits).padStart(9)
  const row = (name: string, { count, failed, p50, p95, p99, max }: Latencies) =>
    `${name.padEnd(16)} ${String(count).padStart(8)} ${String(failed).padStart(7)} ${[p50, p95, p99, max].map((ms) => number(ms)).join(' ')}`
  const latencies = [
    `${rate} requests a second for ${seconds} s; milliseconds from when each was meant to be sent`,
    `${'operation'.padEnd(16)} ${'requests'.padStart(8)} ${'failed'.padStart(7)} ${['p50', 'p95', 'p99', 'max'].map((title) => title.padStart(9)).join(' ')}`,
    ...Object.entries(kinds).map(([kind, of]) => row(kind, of)),
    row('all', all),
    ...Object.entries(errors).map(([error, count]) => `  ${count} x ${error}`),
  ]
  const cores = (ms: number) => `${((ms / used.wall) * 100).toFixed(1)} %`.padStart(11)
  const part = (name: string, ms: number, bytes?: number) =>
    `${name.padEnd(16)} ${number(ms / all.count, 3)} ${cores(ms)} ${bytes === undefined ? '' : number(bytes / 1e6, 0)}`
  const shop = Object.entries(used.parts).filter(([name, ms]) => isShop(name) && (ms > 0 || (memory[name] ?? 0) > 0))
  const parts = [
    `${'process'.padEnd(16)} ${'CPU ms/req'.padStart(9)} ${'of a core'.padStart(10)} ${'MB (PSS)'.padStart(9)}`,
    ...shop.map(([name, ms]) => part(name, ms, memory[name])),
    part('the shop', sumOfShop(used.parts), sumOfShop(memory)),
    ...Object.entries(used.parts)
      .filter(([name]) => !isShop(name))
      .map(([name, ms]) => part(name, ms, memory[name])),
    part('other processes', used.others),
    part('idle', used.idle),
  ]
  return [...latencies, '', ...parts, ''].join('\n')
}

/** What all parts of the shop come to. */
export function sumOfShop(parts: Record<string, number>): number {
  return Object.entries(parts).reduce((sum, [name, value]) => (isShop(name) ? sum + value : sum), 0)
}

/** Whether a part is the shop, and not who measures it. */
export function isShop(name: string): boolean {
  return name !== 'load generator' && name !== 'measuring'
}
