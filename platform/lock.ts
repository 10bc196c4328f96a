import { randomUUID } from 'node:crypto'
import { ServiceError } from './errors.ts'
import type { Log } from './log.ts'
import { createScript, type Redis } from './redis.ts'
import { createSharing } from './sharing.ts'

export type Lock = {
  /**
   * The fencing token: greater than that of everyone who held this lock before. What is changed under the lock must refuse a
   * token that is smaller than one it has seen, since a holder cannot know that it has lost the lock while it stood still.
   * https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
   */
  readonly token: number
  /** Aborted as soon as this process knows that the lock is lost. */
  readonly signal: AbortSignal
}

/** Locks by name, held by one at a time: of this process, and with Redis of all. */
export type Locks = {
  /**
   * Waits for the lock, does the work and lets go of it, also when the work rejects. Throws IN_PROGRESS when others hold it
   * for too long.
   *
   * A lock keeps others away as long as all goes well. While Redis is away each process locks for itself, and a holder that
   * stands still for longer than `lease` loses the lock unawares: what must never happen is refused by its fencing token.
   */
  run<T>(name: string, work: (lock: Lock) => Promise<T>): Promise<T>
}

export type LocksOptions = {
  /** Locks for all processes together. Absent: each locks for itself. */
  redis?: Redis | undefined
  /** The next fencing token, from a place that survives everything, such as a sequence of the database. */
  nextToken: () => Promise<number>
  /** Milliseconds after which Redis lets go of a lock whose holder gives no sign of life. Default 5000. */
  lease?: number
  /** Milliseconds that one waits for a lock. Default 2000. */
  wait?: number
  log: Log
}

/** Milliseconds between looks at a lock that another process holds. Half of a pause is random. */
const longestPause = 50
/** Those who wait for one lock in one process, at the most. */
const mostWaiting = 1_000

const acquireScript = createScript("return redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0")
const renewScript = createScript(
  "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('pexpire', KEYS[1], ARGV[2]) or 0",
)
const releaseScript = createScript("return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0")

export async function createLocks({
  redis,
  nextToken,
  lease = 5_000,
  wait = 2_000,
  log,
}: LocksOptions): Promise<Locks> {
  const queues = new Map<string, { waiting: (() => void)[] }>()
  const sharing =
    redis &&
    (await createSharing({
      redis,
      onChange: (shared, error) =>
        shared ? log.info('locks are shared again') : log.warn('locks are held in each process', { error }),
    }))

  /** Waits for its turn in this process. Returns what ends the turn. */
  async function takeTurn(name: string, deadline: number): Promise<() => void> {
    const queue = queues.get(name)
    if (!queue) queues.set(name, { waiting: [] })
    else if (queue.waiting.length >= mostWaiting) throw busy()
    else await inTurn(queue.waiting, deadline)
    return () => {
      const next = queues.get(name)?.waiting.shift()
      if (next) next()
      else queues.delete(name)
    }
  }

  /** Takes the lock in Redis. Undefined while Redis is left alone: then this process's turn is all there is. */
  async function acquire(key: string, owner: string, deadline: number): Promise<true | undefined> {
    for (;;) {
      const acquired = await sharing?.attempt((client) => acquireScript(client, [key], [owner, lease]))
      if (acquired === undefined) return undefined
      if (acquired === 1) return true
      const pause = Math.min(longestPause, deadline - Date.now())
      if (pause <= 0) throw busy()
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)))
    }
  }

  /** Keeps the lock in Redis, until it is told to stop or finds it lost. */
  function keep(key: string, owner: string, lose: () => void): () => void {
    const timer = setInterval(async () => {
      const kept = await sharing?.attempt((client) => renewScript(client, [key], [owner, lease]))
      if (kept !== 0) return
      clearInterval(timer)
      lose()
    }, lease / 3)
    timer.unref()
    return () => clearInterval(timer)
  }

  return {
    async run(name, work) {
      const deadline = Date.now() + wait
      const endTurn = await takeTurn(name, deadline)
      const [key, owner] = [`lock:${name}`, randomUUID()]
      const lost = new AbortController()
      let stopKeeping = () => {}
      let shared: true | undefined
      try {
        shared = await acquire(key, owner, deadline)
        if (shared) stopKeeping = keep(key, owner, () => lost.abort())
        return await work({ token: await nextToken(), signal: lost.signal })
      } finally {
        stopKeeping()
        if (shared) await sharing?.attempt((client) => releaseScript(client, [key], [owner]))
        endTurn()
      }
    },
  }
}

function inTurn(waiting: (() => void)[], deadline: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(enter), 1)
      reject(busy())
    }, deadline - Date.now())
    const enter = (): void => {
      clearTimeout(timer)
      resolve()
    }
    waiting.push(enter)
  })
}

function busy(): ServiceError {
  return new ServiceError('IN_PROGRESS', 'Somebody else is changing this. Try again.', { retryAfter: 1 })
}
