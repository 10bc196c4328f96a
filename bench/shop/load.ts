import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Ran, Run, Target } from './generator.ts'

/** Starts the load generator's process. It ends with this one at the latest. */
export async function startLoad(target: Target) {
  const child: ChildProcess = fork(join(import.meta.dirname, 'generator.ts'))
  let ended: string | undefined
  child.once('exit', (code, signal) => {
    ended = `The load generator ended (${signal ?? `exit code ${code}`}).`
  })
  const answer = async <Message>(message: Target | Run): Promise<Message> => {
    if (ended) throw new Error(ended)
    const stop = new AbortController()
    const exit = once(child, 'exit', { signal: stop.signal }).then(() => {
      throw new Error('The load generator ended.')
    })
    exit.catch(() => {})
    try {
      child.send(message)
      const [received] = await Promise.race([once(child, 'message', { signal: stop.signal }), exit])
      return received
    } finally {
      stop.abort()
    }
  }
  await answer(target)
  return {
    pid: child.pid ?? 0,
    /** Sends so many requests, and waits for all answers. */
    run: ({ rate, seconds }: { rate: number; seconds: number }): Promise<Ran> =>
      answer<Ran>({ rate, count: Math.max(1, Math.round(rate * seconds)) }),
    async stop(): Promise<void> {
      if (ended) return
      const exited = once(child, 'exit')
      child.disconnect()
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(late)
    },
  }
}

export type Load = Awaited<ReturnType<typeof startLoad>>
