import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../tools/infra/ports.ts'
import { startPostgres } from '../../tools/infra/postgres.ts'
import { postgresPrograms } from '../../tools/infra/postgres-programs.ts'
import { waitFor } from './wait.ts'

/** Milliseconds that a server has to end, or to recover from its end. */
const limit = 60_000

export type KillablePostgres = Awaited<ReturnType<typeof startKillablePostgres>>

/**
 * A PostgreSQL server that keeps what it was told, also when it is killed, and may be: unlike the one of all tests. It ends
 * with this process at the latest.
 */
export async function startKillablePostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-postgres-'))
  chmodSync(folder, 0o755)
  const [port = 0] = await freePorts(1)
  const data = join(folder, 'data')
  const server = await startPostgres({ folder: data, port, password: randomBytes(16).toString('hex'), durable: true })
  const { pgCtl } = await postgresPrograms(data)
  function stop(): void {
    process.off('exit', stop)
    server.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.on('exit', stop)
  const answers = () =>
    server.query('SELECT 1').then(
      () => true,
      () => false,
    )

  return {
    port,
    /** Makes an empty database and returns its URL. */
    async create(database: string): Promise<string> {
      await server.query(`CREATE DATABASE ${database}`)
      return server.url(database)
    },
    /** Ends the server as a crash would: its processes find that the first of them is gone, and end. */
    async kill(): Promise<void> {
      process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL')
      await waitFor('the end of PostgreSQL', async () => !(await answers()), limit)
    },
    /** Starts it again over the same data. Resolves when it has recovered and answers. */
    async restart(): Promise<void> {
      // Refused while one of the old processes is left, and without waiting, so that whoever asks meanwhile is not held up.
      const start = () => pgCtl('start', '-W', '-D', data, '-l', join(data, 'server.log'))
      start()
      await waitFor(
        'PostgreSQL',
        async () => (await answers()) || (pgCtl('status', '-D', data).status !== 0 && start() && false),
        limit,
      )
    },
    stop,
  }
}
