import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export type SupervisedOptions = {
  name: string
  /** The file that Node runs. */
  entry: string
  /** The whole environment of the process. */
  env: Record<string, string>
  /** Options of Node itself. */
  nodeOptions?: readonly string[]
  /** Milliseconds that the pause before a new start may grow to. Default 10000. */
  longestPause?: number
  /** Each line that the process writes. */
  onLine: (line: string) => void
  /** Told when the process ended by itself and will be started again. */
  onCrash: (how: string, pause: number) => void
}

/** A process that is started again when it ends by itself, after a pause that grows while it keeps ending. */
export type Supervised = {
  readonly name: string
  readonly pid: number | undefined
  /** Resolves when the process first says that it is ready. Rejects when it ends before. */
  readonly ready: Promise<void>
  /** Resolves when the process says so the next time, after it was killed. Rejects when it does not within 2 minutes. */
  nextReady(): Promise<void>
  /** Ends the process, as a crash would; it is started again. */
  kill(signal: NodeJS.Signals): void
  /** Ends the process and waits for it. `start` brings it back. */
  stop(): Promise<void>
  start(): void
}

const firstPause = 200
/** Milliseconds up after which an end counts as the first again. */
const stableAfter = 10_000
/** Milliseconds that a process that ended has to be ready again. */
const readyLimit = 120_000
/** Milliseconds that a process has to stop. */
const stopLimit = 35_000

export function supervise(options: SupervisedOptions): Supervised {
  const { name, entry, env, nodeOptions = [], longestPause = 10_000, onLine, onCrash } = options
  let child: ChildProcess | undefined
  let wanted = false
  let everReady = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  const waiters: PromiseWithResolvers<void>[] = []
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  ready.catch(() => {})

  function start(): void {
    wanted = true
    const startedAt = Date.now()
    // A group of its own: Ctrl-C reaches the supervisor alone, which stops everything in order.
    const process_ = spawn(process.execPath, [...nodeOptions, entry], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    child = process_
    const lines: string[] = []
    for (const stream of [process_.stdout, process_.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        if (lines.length > 20) lines.shift()
        onLine(line)
      })
    }
    process_.on('message', () => {
      everReady = true
      resolve()
      for (const waiter of waiters.splice(0)) waiter.resolve()
    })
    process_.on('exit', (code, signal) => {
      if (child === process_) child = undefined
      if (!wanted) return
      const how = signal ?? `exit code ${code}`
      if (!everReady) {
        wanted = false
        reject(new Error(`${name} did not start (${how}).\n${lines.join('\n')}`))
        return
      }
      failures = Date.now() - startedAt > stableAfter ? 1 : failures + 1
      const pause = Math.min(longestPause, firstPause * 2 ** (failures - 1))
      onCrash(how, pause)
      timer = setTimeout(start, pause)
    })
  }

  function nextReady(): Promise<void> {
    const waiter = Promise.withResolvers<void>()
    const late = () => waiter.reject(new Error(`${name} was not ready again within ${readyLimit / 1000} s.`))
    const limit = setTimeout(late, readyLimit)
    waiters.push(waiter)
    const result = waiter.promise.finally(() => clearTimeout(limit))
    result.catch(() => {})
    return result
  }

  return {
    name,
    get pid() {
      return child?.pid
    },
    ready,
    nextReady,
    kill: (signal) => void child?.kill(signal),
    start,
    async stop() {
      wanted = false
      clearTimeout(timer)
      for (const waiter of waiters.splice(0)) waiter.reject(new Error(`${name} was stopped.`))
      const process_ = child
      if (!process_) return
      const exited = new Promise((done) => process_.once('exit', done))
      process_.kill('SIGTERM')
      const cap = setTimeout(() => process_.kill('SIGKILL'), stopLimit)
      await exited
      clearTimeout(cap)
    },
  }
}
