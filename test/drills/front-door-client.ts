import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { Agent, request } from 'undici'

/** An ordinary client, in a thread of its own so that its clock is not the attackers'. */

type Load = { url: string; body: string; perSecond: number }
export type Times = { milliseconds: number[]; failures: string[] }

/** Asks at a steady rate, whether answers come or not. `lap` returns what came of it since the last one. */
export function startClient(load: Load) {
  const worker = new Worker(new URL(import.meta.url), { workerData: load })
  const failed = new Promise<never>((_, reject) => worker.once('error', reject))
  failed.catch(() => {})
  return {
    lap(): Promise<Times> {
      worker.postMessage('lap')
      return Promise.race([failed, new Promise<Times>((resolve) => worker.once('message', resolve))])
    },
    stop: () => worker.terminate(),
  }
}

async function run({ url, body, perSecond }: Load): Promise<never> {
  const agent = new Agent({ connections: 32 })
  let times: Times = { milliseconds: [], failures: [] }
  parentPort?.on('message', () => {
    parentPort?.postMessage(times)
    times = { milliseconds: [], failures: [] }
  })

  /** The time counts from when it was due: a client that waits for others waits too. */
  async function askAt(due: number): Promise<void> {
    try {
      const headers = { 'content-type': 'application/json' }
      const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body })
      const text = await answer.body.text()
      if (answer.statusCode !== 200 || text.includes('"errors"')) times.failures.push(text.slice(0, 500))
    } catch (error) {
      times.failures.push(String(error))
    }
    times.milliseconds.push(performance.now() - due)
  }

  for (let due = performance.now(); ; due += 1_000 / perSecond) {
    await wait(Math.max(0, due - performance.now()))
    askAt(due)
  }
}

if (parentPort) await run(workerData)
