import { setTimeout as sleep } from 'node:timers/promises'

/** Requests that wait for their answer at once, above which no more are sent: the run is lost by then. */
const mostUnderWay = 20_000

/**
 * Lets requests come at a constant rate, whatever the answers take (open loop): the n-th is due n/rate seconds after the
 * begin. `send` is told when that was by `performance.now()`, and must count latency from there: a request that is sent late,
 * because the machine or the generator was busy, has waited for as long (no coordinated omission).
 *
 * `refuse` is told of each that was not sent, since too many wait. Resolves when all are answered.
 */
export async function arrive(options: {
  /** A second. */
  rate: number
  count: number
  send: (n: number, due: number) => Promise<void>
  refuse: (n: number, due: number) => void
}): Promise<void> {
  const { rate, count, send, refuse } = options
  const begin = performance.now()
  const underWay = new Set<Promise<void>>()
  for (let n = 0; n < count; ) {
    const due = begin + (n * 1_000) / rate
    const early = due - performance.now()
    if (early > 0) {
      await sleep(Math.max(1, early))
      continue
    }
    if (underWay.size >= mostUnderWay) refuse(n, due)
    else {
      const one = send(n, due).finally(() => underWay.delete(one))
      underWay.add(one)
    }
    n += 1
  }
  await Promise.all(underWay)
}
