import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { listenFault } from './ports.ts'
import { type PostgresPrograms, postgresPrograms } from './postgres-programs.ts'

/** A PostgreSQL server of our own, from the binaries that come with the install. */
export type Postgres = {
  readonly port: number
  /** The URL of a database, for its owner, or for the superuser when no role is named. */
  url(database: string, role?: { name: string; password: string }): string
  /** Creates a role that owns a database of the same name, unless they are there. Nobody else may connect to it. */
  ensureDatabase(role: { name: string; password: string }): Promise<void>
  /** Runs SQL as the superuser. */
  query(sql: string, database?: string): Promise<pg.QueryResult>
  stop(): void
}

export type PostgresOptions = {
  /** Where the data is, or goes. */
  folder: string
  port: number
  /** The superuser's password; the one the folder was made with. */
  password: string
  /** False trades safety against power loss for speed. For tests. Default true. */
  durable?: boolean
  /** Keeps the times of commits. Default: where it is not durable. */
  commitTimes?: boolean
}

/**
 * Starts a server over the folder and makes the cluster first where there is none. It stops with `stop()`; one that an
 * earlier process left behind, killed before it could stop it, is stopped first.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { folder, port, password, durable = true, commitTimes = !durable } = options
  const data = resolve(folder)
  mkdirSync(data, { recursive: true })
  const programs = await postgresPrograms(data)

  stop(programs, data)
  const fault = await listenFault(port)
  if (fault) {
    throw new Error(
      `The port ${port}, which PostgreSQL needs, cannot be listened on (${fault}). Stop what listens there, or set POSTGRES_PORT to another port.`,
    )
  }
  if (!existsSync(join(data, 'PG_VERSION'))) createCluster()
  writeFileSync(join(data, 'postgresql.auto.conf'), settings())
  const log = join(data, 'server.log')
  const started = programs.pgCtl('start', '-w', '-D', data, '-l', log)
  if (started.status !== 0) {
    // One that is late, or whose start was cut short, is not left behind.
    stop(programs, data)
    throw new Error(
      `The embedded PostgreSQL did not start: ${lastLine(existsSync(log) ? readFileSync(log, 'utf8') : started.output)}`,
    )
  }

  function createCluster(): void {
    const passwordFile = join(data, '..', `.initdb-${process.pid}`)
    writeFileSync(passwordFile, password, { mode: 0o600 })
    programs.handOver(passwordFile)
    try {
      const made = programs.initdb(
        `--pgdata=${data}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        ...(durable ? [] : ['--no-sync']),
      )
      if (made.status !== 0) throw new Error(`Preparing the embedded PostgreSQL failed: ${lastLine(made.output)}`)
    } finally {
      rmSync(passwordFile)
    }
  }

  function settings(): string {
    const safety = durable ? [] : ['fsync = off', 'full_page_writes = off', 'synchronous_commit = off']
    return [
      `port = ${port}`,
      "listen_addresses = '127.0.0.1'",
      "unix_socket_directories = ''",
      'max_connections = 300',
      'shared_buffers = 64MB',
      'jit = off',
      // Its log names no values of rows, which are people's.
      'log_error_verbosity = terse',
      ...safety,
      ...(commitTimes ? ['track_commit_timestamp = on'] : []),
      '',
    ].join('\n')
  }

  const url = (database: string, role = { name: 'postgres', password }) =>
    `postgres://${role.name}:${encodeURIComponent(role.password)}@127.0.0.1:${port}/${database}`

  async function query(sql: string, database = 'postgres'): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url(database) })
    await client.connect()
    try {
      return await client.query(sql)
    } finally {
      await client.end()
    }
  }

  return {
    port,
    url,
    query,
    async ensureDatabase({ name, password }) {
      const role = pg.escapeIdentifier(name)
      const secret = pg.escapeLiteral(password)
      const { rows } = await query(`SELECT FROM pg_roles WHERE rolname = ${pg.escapeLiteral(name)}`)
      await query(`${rows.length === 0 ? 'CREATE' : 'ALTER'} ROLE ${role} LOGIN PASSWORD ${secret}`)
      const databases = await query(`SELECT FROM pg_database WHERE datname = ${pg.escapeLiteral(name)}`)
      if (databases.rows.length === 0) await query(`CREATE DATABASE ${role} OWNER ${role}`)
      await query(`REVOKE ALL ON DATABASE ${role} FROM PUBLIC`)
    },
    stop: () => stop(programs, data),
  }
}

/** Stops the server that an earlier process, killed before it could stop it, left running over the folder. */
export async function stopLeftover(folder: string): Promise<void> {
  const data = resolve(folder)
  if (existsSync(join(data, 'postmaster.pid'))) stop(await postgresPrograms(data), data)
}

function stop({ pgCtl }: PostgresPrograms, data: string): void {
  if (pgCtl('status', '-D', data).status !== 0) return
  const stopped = pgCtl('stop', '-w', '-D', data, '-m', 'fast')
  if (stopped.status !== 0) throw new Error(`The embedded PostgreSQL does not stop: ${lastLine(stopped.output)}`)
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
