import { AsyncResource } from 'node:async_hooks'
import type { Log } from './log.ts'

export type BackgroundOptions = {
  name: string
  /** Tasks that are under way or wait, at the most. Default 1000. */
  capacity?: number
  /** Tasks that run at once. Default 4. */
  concurrency?: number
  /** Milliseconds before each further attempt at a task that failed. After the last the task is given up. */
  pauses?: readonly number[]
  /** Milliseconds that a stop waits for what is left. Default 5000. */
  stopLimit?: number
  log: Log
}

/** One task. It runs again when it rejects. */
export type Task = () => Promise<void>

const defaultPauses = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]

/**
 * Work that nobody waits for, in the memory of this process: what a crash loses must be something that people can ask for
 * again. Each task runs in the context in which it was added. A task that is given up is logged.
 */
export function createBackground(options: BackgroundOptions) {
  const { name, capacity = 1_000, concurrency = 4, pauses = defaultPauses, stopLimit = 5_000, log } = options
  const waiting: Entry[] = []
  const pausing = new Map<Entry, NodeJS.Timeout>()
  let running = 0
  let stopping = false
  let whenIdle = () => {}

  function next(): void {
    while (running < concurrency) {
      const entry = waiting.shift()
      if (!entry) break
      running += 1
      void attempt(entry)
    }
    if (running + waiting.length + pausing.size === 0) whenIdle()
  }

  async function attempt(entry: Entry): Promise<void> {
    try {
      await entry.task()
    } catch (error) {
      const pause = stopping ? undefined : pauses[entry.failures++]
      log.warn(pause === undefined ? 'task given up' : 'task failed', { tasks: name, pause, error })
      if (pause !== undefined) pausing.set(entry, setTimeout(resume, pause, entry))
    }
    running -= 1
    next()
  }

  function resume(entry: Entry): void {
    clearTimeout(pausing.get(entry))
    pausing.delete(entry)
    waiting.push(entry)
    next()
  }

  return {
    /** Takes a task on and returns at once. False when there is no room for it, or no time any more. */
    add(task: Task): boolean {
      if (stopping || running + waiting.length + pausing.size >= capacity) return false
      waiting.push({ task: AsyncResource.bind(task), failures: 0 })
      // After the caller has gone on: what a task does takes no part in how long an answer takes.
      setImmediate(next)
      return true
    },
    /** Takes no more. What waits gets one more attempt each, as far as time allows. */
    async stop(): Promise<void> {
      stopping = true
      for (const entry of [...pausing.keys()]) resume(entry)
      const left = () => running + waiting.length
      if (left() === 0) return
      let late: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        whenIdle = resolve
        late = setTimeout(resolve, stopLimit)
      })
      clearTimeout(late)
      if (left() > 0) log.warn('tasks left undone', { tasks: name, count: left() })
    },
  }
}

type Entry = { task: Task; failures: number }
