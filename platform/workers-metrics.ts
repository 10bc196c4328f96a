import cluster, { type Worker } from 'node:cluster'
import { type Metrics, type Series, textOf } from './metrics.ts'

/** Milliseconds that a scrape waits for a worker, and a worker for the primary. What comes later is missing in it. */
const patience = 1_500

/** What the primary and its workers say to each other for a scrape. */
type Message =
  | { readonly scrape: 'wanted' | 'measure'; readonly id: number }
  | { readonly scrape: 'measured'; readonly id: number; readonly series: Series }
  | { readonly scrape: 'answer'; readonly id: number; readonly text: string }

/** In the primary: answers a worker that is scraped with what all of them and the primary measure. */
export function collectScrapes(workers: () => readonly Worker[], metrics: Metrics): void {
  const waiting = new Map<number, (series: Series) => void>()
  let last = 0

  function ask(worker: Worker): Promise<Series> {
    const { promise, resolve } = Promise.withResolvers<Series>()
    const id = ++last
    const timer = setTimeout(() => resolve([]), patience).unref()
    waiting.set(id, resolve)
    tell(worker, { scrape: 'measure', id })
    return promise.finally(() => {
      clearTimeout(timer)
      waiting.delete(id)
    })
  }

  cluster.on('message', async (worker, message: unknown) => {
    if (!isMessage(message)) return
    if (message.scrape === 'measured') waiting.get(message.id)?.(message.series)
    if (message.scrape !== 'wanted') return
    const all = await Promise.all([metrics.series(), ...workers().map(ask)])
    const text = await textOf(all)
    tell(worker, { scrape: 'answer', id: message.id, text })
  })
}

/** In a worker: the same metrics, of which the text is that of all workers. */
export function answerScrapes(metrics: Metrics): Metrics {
  const waiting = new Map<number, (text: string) => void>()
  let last = 0
  process.on('message', async (message: unknown) => {
    if (!isMessage(message)) return
    if (message.scrape === 'answer') waiting.get(message.id)?.(message.text)
    if (message.scrape !== 'measure') return
    send({ scrape: 'measured', id: message.id, series: await metrics.series() })
  })
  return {
    ...metrics,
    async text() {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const id = ++last
      const timer = setTimeout(() => reject(new Error('The primary does not answer.')), 2 * patience)
      waiting.set(id, resolve)
      send({ scrape: 'wanted', id })
      try {
        return await promise
      } finally {
        clearTimeout(timer)
        waiting.delete(id)
      }
    },
  }
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'scrape' in message
}

/** A worker that has just ended gets nothing. */
function tell(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => {})
}

function send(message: Message): void {
  process.send?.(message, undefined, undefined, () => {})
}
