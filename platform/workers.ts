import cluster, { type Worker } from 'node:cluster'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { answerScrapes, collectScrapes } from './workers-metrics.ts'

/** Milliseconds of the pause before a worker that ended is started again; it doubles while they keep ending, up to the longest. */
const firstPause = 200
const longestPause = 10_000
/** Milliseconds up after which an end counts as the first again. */
const stableAfter = 10_000
/** Milliseconds that a worker has to stop. */
const stopLimit = 29_000

/** The message by which the primary stops a worker. A signal that reached all of them would come twice. */
const stopMessage = 'stop'

/** The number of this process among workers, from 1 on; one that is started again has that of its predecessor. Undefined where it is none. */
export function workerNumber(): number | undefined {
  return cluster.isWorker ? Number(process.argv.at(-1)) : undefined
}

export type WorkersOptions = {
  count: number
  log: Log
  lifecycle: Lifecycle
  /** Of the primary itself. */
  metrics: Metrics
}

/**
 * Runs this program in so many workers that share its port: this process, the primary, takes connections and hands them out in turn
 * (node:cluster). Resolves when all of them are ready, and rejects when one ends before.
 *
 * Guarantees: a worker that ends by itself is started again, after a pause that grows while they keep ending, and the others serve on. A stop
 * ends when all workers have: each drains as a process of its own would. When the primary dies, they end too.
 */
export async function startWorkers({ count, log, lifecycle, metrics }: WorkersOptions): Promise<void> {
  const workers = new Map<Worker, { ready: boolean }>()
  const timers = new Set<NodeJS.Timeout>()
  let stopping = false

  function start(number: number, pauseBefore = 0): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const startedAt = performance.now()
    cluster.setupPrimary({ args: [String(number)] })
    const worker = cluster.fork()
    const state = { ready: false }
    workers.set(worker, state)
    worker.on('message', (message: unknown) => {
      if (message !== 'ready') return
      state.ready = true
      resolve()
    })
    worker.once('exit', (code, signal) => {
      workers.delete(worker)
      reject(new Error(`Worker ${number} did not start (${signal || code}).`))
      // The start of all has failed with it.
      if (stopping || !(state.ready || lifecycle.ready)) return
      const stable = performance.now() - startedAt > stableAfter
      const pause = stable ? firstPause : Math.min(longestPause, pauseBefore * 2 || firstPause)
      log.error('worker ended', { worker: number, code, signal, pause })
      const timer = setTimeout(() => {
        timers.delete(timer)
        start(number, pause).catch(() => {})
      }, pause)
      timers.add(timer)
    })
    return promise
  }

  lifecycle.onStop('workers', async () => {
    stopping = true
    for (const timer of timers) clearTimeout(timer)
    await Promise.all([...workers].map(([worker, { ready }]) => stop(worker, ready)))
  })
  collectScrapes(() => [...workers.keys()], metrics)
  await Promise.all(Array.from({ length: count }, (_, index) => start(index + 1)))
}

async function stop(worker: Worker, ready: boolean): Promise<void> {
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  // One that is still starting does not listen yet.
  if (ready && worker.isConnected()) worker.send(stopMessage, () => {})
  else worker.process.kill('SIGTERM')
  const limit = setTimeout(() => worker.process.kill('SIGKILL'), stopLimit)
  await exited
  clearTimeout(limit)
}

/** Makes this process, if it is a worker, stop when the primary says so, and tell it what is measured here. */
export function followPrimary(lifecycle: Lifecycle, metrics: Metrics): Metrics {
  if (!cluster.isWorker) return metrics
  process.on('message', (message: unknown) => {
    if (message === stopMessage && !lifecycle.stopping) process.kill(process.pid, 'SIGTERM')
  })
  return answerScrapes(metrics)
}
