import type { Ran } from './generator.ts'
import type { Load } from './load.ts'
import type { Usage, Used } from './usage.ts'

/** What one stretch at one rate came to. */
export type Step = Ran['measured'] & {
  /** Requests a second, and for how many seconds. */
  rate: number
  seconds: number
  used: Used
  /** Bytes at its end. */
  memory: Record<string, number>
}

/** The target: milliseconds, and share of requests. */
export const target = { p99: 50, errors: 0.001 }

export function holds({ all }: Pick<Step, 'all'>): boolean {
  return all.count > 0 && all.p99 <= target.p99 && all.failed <= all.count * target.errors
}

/** Lets the rate come for a while that does not count, and then measures. */
export async function measure(
  { load, usage }: { load: Load; usage: Usage },
  { rate, seconds, warmUp }: { rate: number; seconds: number; warmUp: number },
): Promise<{ step: Step; orders: Ran['orders'] }> {
  if (warmUp > 0) await load.run({ rate, seconds: warmUp })
  const end = usage.begin()
  const { measured, orders } = await load.run({ rate, seconds })
  const used = end()
  const memory = usage.memory()
  return { step: { rate, seconds, ...measured, used, memory }, orders }
}
