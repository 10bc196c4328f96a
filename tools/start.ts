/**
 * `npm start`: the whole shop on this machine. Embedded parts stand in for what no variable names; see the README.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withoutFiles } from '#platform/env.ts'
import { announcement } from './announcement.ts'
import { developmentPorts, requireFreePorts } from './development-ports.ts'
import { readable } from './infra/log-lines.ts'
import { type Postgres, startPostgres } from './infra/postgres.ts'
import { type Claim, claimFolder, dataFolder } from './infra/run-file.ts'
import { runScript } from './infra/scripts.ts'
import { ensureSecrets, type Secrets } from './infra/secrets.ts'
import { namedDatabases } from './infra/service-database.ts'
import { type Accounts, knownAccounts } from './seed/accounts.ts'
import { isSeeded } from './seed/seeded.ts'
import { databaseVariable, type ServiceName, serviceNames } from './services.ts'
import { createStack, processNames, type Stack } from './stack.ts'

const started = performance.now()
/** Besides those of databases, the variables that this process reads, and by which it wires the others. */
const ownVariables = ['PORT', 'HOST', 'SHUTDOWN_DELAY', 'KAFKA_BROKERS', 'MAIL_DIR', 'SMS_DIR', 'PUSH_DIR', 'AUDIT_LOG']
const databaseNames = [...serviceNames, 'events'] as const
let claim: Claim | undefined
let postgres: Postgres | undefined
let stack: Stack | undefined
let stoppingSince: number | undefined

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Ctrl-C comes from the terminal, and at once again from npm.
    if (stoppingSince && performance.now() - stoppingSince > 500) process.exit(1)
    void stop(0)
  })
}
// The terminal was closed. Its shell and the kernel may both say so, and nothing can be written to it any more.
process.on('SIGHUP', () => void stop(0))
for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
// However the process ends, nothing stays behind and the folder is free.
process.on('exit', (code) => {
  for (const process of Object.values(stack?.processes ?? {})) process.kill('SIGKILL')
  try {
    postgres?.stop()
  } catch (error) {
    console.error(messageOf(error))
  }
  claim?.release()
  if (code === 0 && stoppingSince) console.log(`Stopped after ${secondsSince(stoppingSince)} s.`)
})

try {
  await start()
} catch (error) {
  // Ctrl-C ends PostgreSQL's programs too, and their failure is seen before the signal.
  await sleep(50)
  if (!stoppingSince) console.error(`\n${messageOf(error)}`)
  await stop(1)
}

async function start(): Promise<void> {
  if (process.env.NODE_ENV === 'production') {
    throw new Error(
      'npm start is for development. In production run each process by itself: node_modules/.bin/node subgraphs/users/main.ts, ...',
    )
  }
  const env = withoutFiles([...ownVariables, ...databaseNames.map(databaseVariable)])
  const { PORT, KAFKA_BROKERS } = env
  const named = namedDatabases(databaseNames)
  const ports = developmentPorts({ PORT, POSTGRES_PORT: process.env.POSTGRES_PORT })
  requireWritable(dataFolder)
  claim = claimFolder(dataFolder)
  const known = knownAccounts(dataFolder)
  const secrets = await ensureSecrets(dataFolder, databaseNames, processNames)
  await requireFreePorts(ports.processes, env.HOST || '127.0.0.1')

  const urls = await databaseUrls(KAFKA_BROKERS ? serviceNames : databaseNames, named, secrets, ports.postgres)
  const databases = Object.fromEntries(serviceNames.map((name) => [name, urls[name]])) as Record<ServiceName, string>
  const auditLog = resolve(env.AUDIT_LOG || join(dataFolder, 'audit.log'))
  const mail = resolve(env.MAIL_DIR || join(dataFolder, 'mail'))

  step('Starting the services and the gateway')
  stack = createStack({
    ports: ports.processes,
    secrets,
    databases,
    events: KAFKA_BROKERS ? { KAFKA_BROKERS } : { EVENTS_DATABASE_URL: urls.events },
    mailFolder: mail,
    smsFolder: resolve(env.SMS_DIR || join(dataFolder, 'sms')),
    pushFolder: resolve(env.PUSH_DIR || join(dataFolder, 'push')),
    auditLog,
    env,
    onLine: (name, line) => print(name, readable(line)),
    onCrash: (name, how, pause) => print(name, `ended (${how}), starts again in ${pause} ms`),
  })
  await Promise.all([stack.start(), seed(databases, known, env)])
  claim.publish({ gateway: stack.url, mail, auditLog, postgres: postgres && join(dataFolder, 'postgres') })
  if (stoppingSince) return
  console.log(
    announcement({
      stack,
      ports: ports.processes,
      brokers: KAFKA_BROKERS,
      postgresPort: postgres?.port,
      mail,
      accounts: knownAccounts(dataFolder),
    }),
  )
  console.log(`\nReady after ${secondsSince(started)} s.`)
}

/** The URL of each database: the one that its variable names, else one on the embedded PostgreSQL, which is started for it. */
async function databaseUrls<Name extends ServiceName | 'events'>(
  names: readonly Name[],
  named: Partial<Record<Name, string>>,
  secrets: Secrets,
  port: number,
): Promise<Record<Name, string>> {
  const role = (name: Name) => ({ name, password: secrets.databases[name] ?? '' })
  const embedded = names.filter((name) => !named[name])
  if (embedded.length > 0) {
    const folder = join(dataFolder, 'postgres')
    step(existsSync(folder) ? 'Starting PostgreSQL' : 'Preparing PostgreSQL (the first time only)')
    postgres = await startPostgres({ folder, port, password: secrets.postgres })
    for (const name of embedded) await postgres.ensureDatabase(role(name))
  }
  const urls = names.map((name) => [name, named[name] ?? postgres?.url(name, role(name))])
  return Object.fromEntries(urls)
}

function requireWritable(folder: string): void {
  try {
    makeFolder(folder)
    accessSync(`${folder}/.`, constants.W_OK)
  } catch {
    throw new Error(`The data folder ${folder} cannot be written to. Set DATA_DIR to one that can.`)
  }
}

/** Node's own way of making a folder with its parents never returns where none can be made, as under /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}

/** Fills an empty shop. */
async function seed(databases: Record<ServiceName, string>, known: Accounts, env: NodeJS.ProcessEnv): Promise<void> {
  if (await isSeeded(databases, known)) return
  step('Filling the shop with a catalogue and accounts (the first time only)')
  await runScript('tools/seed.ts', {
    ...env,
    DATA_DIR: dataFolder,
    ...Object.fromEntries(serviceNames.map((name) => [databaseVariable(name), databases[name]])),
  })
}

async function stop(code: number): Promise<void> {
  if (stoppingSince) return
  stoppingSince = performance.now()
  await stack?.stop()
  process.exit(code)
}

function step(what: string): void {
  console.log(`${secondsSince(started).padStart(5)} s  ${what} ...`)
}

function print(name: string, text: string): void {
  for (const line of text.split('\n')) console.log(`${name.padEnd(13)} | ${line}`)
}

function secondsSince(time: number): string {
  return ((performance.now() - time) / 1000).toFixed(1)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
