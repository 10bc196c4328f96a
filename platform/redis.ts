import { hash } from 'node:crypto'
import type { Redis as Client } from 'ioredis'
import { z } from 'zod'
import type { Parsed, processSettings } from './env.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'

export const redisSettings = {
  /** What all instances count and remember together. Default: each process for itself. Required in production. */
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a redis:// or rediss:// URL' }).optional(),
  /** Begins the names of all keys, where a server is shared. Default: nothing. */
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.:-]*$/, 'has letters, digits, dots, colons, dashes and underscores')
    .default(''),
}

export type RedisConfig = Parsed<typeof redisSettings>

/** Production has several instances of everything, which must count together. */
export function redisRule({ NODE_ENV, REDIS_URL }: Partial<RedisConfig & Parsed<typeof processSettings>>): string[] {
  return NODE_ENV === 'production' && !REDIS_URL ? ['REDIS_URL: is not set, and production needs Redis'] : []
}

export type RedisOptions = {
  url: string
  /** Begins the names of all keys. Default: nothing. */
  prefix?: string
  /** Who we are to the server. */
  name: string
  /** Milliseconds that a command may take, not counting those in which this process itself was busy. Default 100. */
  commandTimeout?: number
  log: Log
}

/** Milliseconds that a connection may take to be made. */
const connectTimeout = 1_000
/**
 * Milliseconds after which a server that owes an answer and says nothing is given up, unless a command may take longer: the
 * connection is made anew.
 */
const silenceLimit = 1_000
/** Milliseconds before the first new connection, doubled for each that fails. Half of a pause is random. */
const firstPause = 50
const longestPause = 2_000

/**
 * Opens a connection for short commands, each of which answers or rejects in its time: there is no queue for a server
 * that is away. It is made again for ever, and lost and found are logged once each. Waits for the server for as long as one
 * connection may take; a server that is away is no failure here.
 */
export async function openRedis({ url, prefix = '', name, commandTimeout = 100, log }: RedisOptions) {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectionName: name,
    keyPrefix: prefix,
    connectTimeout,
    socketTimeout: Math.max(silenceLimit, commandTimeout),
    enableOfflineQueue: false,
    // What a lost connection left unanswered was refused already: sent again, it would be done for nobody.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => pauseBefore(attempt),
  })
  const watchers: ((connected: boolean) => void)[] = []
  let reached: boolean | undefined
  let closing = false
  let reason: unknown
  client.on('error', (error) => {
    reason = error
  })
  client.on('ready', () => {
    if (reached === false) log.info('Redis is back')
    reached = true
    for (const watcher of watchers) watcher(true)
  })
  client.on('close', () => {
    if (reached !== false && !closing) log.warn('Redis is away', { error: reason })
    reached = false
    reason = undefined
    if (!closing) for (const watcher of watchers) watcher(false)
  })
  await client.connect().catch(() => {})

  const ask = <T>(command: (client: Client) => Promise<T>): Promise<T> => within(commandTimeout, command(client))
  return {
    client,
    /** Sends a command. Rejects when it fails, or is not answered in time. */
    ask,
    /** Tells of each connection that is made or lost from now on. A loss is told before anything is sent on a new one. */
    watch: (watcher: (connected: boolean) => void): void => void watchers.push(watcher),
    /** True once it was closed: it never answers again. */
    get closed() {
      return closing
    },
    /** Rejects when the server does not answer. */
    check: (): Promise<unknown> => ask((client) => client.ping()),
    async close(): Promise<void> {
      closing = true
      await ask((client) => client.quit()).catch(() => client.disconnect())
    },
  }
}

export type Redis = Awaited<ReturnType<typeof openRedis>>

/** A script that the server runs in one step. It is sent in full to a server that has not seen it, else by its hash. */
export function createScript(lua: string) {
  const name = hash('sha1', lua)
  return async (client: Client, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> => {
    try {
      return await client.evalsha(name, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return client.eval(lua, keys.length, ...keys, ...args)
    }
  }
}

/** Opens the Redis that the settings name, until the process stops. Undefined where they name none. */
export async function openServiceRedis({
  name,
  config,
  log,
  lifecycle,
}: {
  name: string
  config: RedisConfig
  log: Log
  lifecycle: Lifecycle
}): Promise<Redis | undefined> {
  if (!config.REDIS_URL) return undefined
  const redis = await openRedis({ url: config.REDIS_URL, prefix: config.REDIS_PREFIX, name, log })
  lifecycle.onStop('redis', redis.close)
  return redis
}

/** Parts in which a wait is measured. */
const steps = 4

/**
 * Rejects when a promise takes too long. A process that was busy sees its timers before the answers that have come
 * meanwhile, so the wait is made of steps, of which being busy uses up one at the most.
 */
function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let left = steps
    let timer: NodeJS.Timeout
    const wait = (): void => {
      timer = setTimeout(
        () => (--left > 0 ? wait() : reject(new Error('Redis did not answer in time.'))),
        milliseconds / steps,
      )
    }
    wait()
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function pauseBefore(attempt: number): number {
  const pause = Math.min(longestPause, firstPause * 2 ** (attempt - 1))
  return pause * (0.5 + Math.random() / 2)
}
