import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listening } from './listening.ts'
import { freePorts } from './ports.ts'

/** A Redis of our own that keeps nothing on disk. It ends with this process at the latest. */
export type RedisServer = {
  readonly url: string
  /** Ends the server as a crash would. */
  kill(): Promise<void>
  /** Starts the server again, empty. */
  restart(): Promise<void>
  /** Lets the server hang: it takes connections and commands, and answers none. */
  pause(): void
  resume(): void
  stop(): void
}

/** The version of the server that can be started here. Undefined where there is none. */
export function redisVersion(): string | undefined {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return /v=([\d.]+)/.exec(stdout ?? '')?.[1]
}

/** `configFile`: a `redis.conf` that is read first. */
export async function startRedis(configFile?: string): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-redis-'))
  const [port = 0] = await freePorts(1)
  let server: ChildProcess | undefined
  function stop(): void {
    process.off('exit', stop)
    server?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.on('exit', stop)

  async function start(): Promise<void> {
    const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    server = spawn('redis-server', configFile ? [configFile, ...args] : args, { stdio: 'ignore', detached: true })
    await listening(server, { name: 'The Redis server', port })
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    async kill() {
      if (!server || server.exitCode !== null) return
      const exited = once(server, 'exit')
      if (server.kill('SIGKILL')) await exited
    },
    restart: start,
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    stop,
  }
}
