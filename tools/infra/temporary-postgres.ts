import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'

/**
 * A PostgreSQL server for a test run or a tool: fast, in a temporary folder that goes with it. It ends with this process
 * at the latest.
 */
export async function startTemporaryPostgres(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-postgres-'))
  chmodSync(folder, 0o755)
  let server: Postgres | undefined
  function stop(): void {
    process.off('exit', stop)
    server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  process.on('exit', stop)

  const [port = 0] = await freePorts(1)
  server = await startPostgres({
    folder: join(folder, 'data'),
    port,
    password: randomBytes(16).toString('hex'),
    durable: false,
  })
  return { ...server, stop }
}
