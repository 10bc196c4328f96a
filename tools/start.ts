/**
 * `npm start`: the whole shop on this machine. Embedded parts stand in for what no variable names; see the README.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import pg from 'pg'
import { readable } from './infra/log-lines.ts'
import { isFree } from './infra/ports.ts'
import { type Postgres, startPostgres } from './infra/postgres.ts'
import { runScript } from './infra/scripts.ts'
import { ensureSecrets, writePrivately } from './infra/secrets.ts'
import { databaseVariable, root, type ServiceName, serviceNames, services } from './services.ts'
import { createStack, type Ports, type ProcessName, processNames, type Stack } from './stack.ts'

const started = performance.now()
const dataFolder = resolve(process.env.DATA_DIR || join(root, '.data'))
const gatewayPort = Number(process.env.PORT || 4000)
const postgresPort = Number(process.env.POSTGRES_PORT || 5433)

let postgres: Postgres | undefined
let stack: Stack | undefined
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))

try {
  await start()
} catch (error) {
  if (!stopping) {
    console.error(`\n${error instanceof Error ? error.message : error}`)
    await stop(1)
  }
}

async function start(): Promise<void> {
  if (process.env.NODE_ENV === 'production') {
    throw new Error(
      'npm start is for development. In production run each process by itself: node subgraphs/users/main.ts, ...',
    )
  }
  requireWritable(dataFolder)
  const ports = developmentPorts()
  await requireFreePorts(ports)

  const events = process.env.KAFKA_BROKERS ? undefined : 'events'
  const embedded = [...serviceNames.filter((name) => !process.env[databaseVariable(name)]), ...(events ? [events] : [])]
  const secrets = await ensureSecrets(dataFolder, [...serviceNames, 'events'], processNames)
  if (embedded.length > 0) {
    step(
      existsSync(join(dataFolder, 'postgres')) ? 'Starting PostgreSQL' : 'Preparing PostgreSQL (the first time only)',
    )
    postgres = await startPostgres({
      folder: join(dataFolder, 'postgres'),
      port: postgresPort,
      password: secrets.postgres,
    })
    for (const name of embedded) await postgres.ensureDatabase({ name, password: secrets.databases[name] ?? '' })
  }
  const urlOf = (name: string) => postgres?.url(name, { name, password: secrets.databases[name] ?? '' }) ?? ''
  const databases = Object.fromEntries(
    serviceNames.map((name) => [name, process.env[databaseVariable(name)] || urlOf(name)]),
  ) as Record<ServiceName, string>

  step('Starting the services and the gateway')
  stack = createStack({
    ports,
    secrets,
    databases,
    events: process.env.KAFKA_BROKERS
      ? { KAFKA_BROKERS: process.env.KAFKA_BROKERS }
      : { EVENTS_DATABASE_URL: urlOf('events') },
    mailFolder: join(dataFolder, 'mail'),
    env: process.env,
    onLine: (name, line) => print(name, readable(line)),
    onCrash: (name, how, pause) => print(name, `ended (${how}), starts again in ${pause} ms`),
  })
  const seeded = seed(databases)
  await Promise.all([stack.start(), seeded])
  writePrivately(join(dataFolder, 'run.json'), {
    supervisor: process.pid,
    gateway: stack.url,
    mail: join(dataFolder, 'mail'),
    postgres: postgres && join(dataFolder, 'postgres'),
  })
  if (!stopping) announce(ports)
}

function developmentPorts(): Ports {
  const ports = serviceNames.map((name) => {
    const { port: http, grpcPort: grpc } = { grpcPort: undefined, ...services[name] }
    return [name, { http, ...(grpc && { grpc }) }]
  })
  return { ...Object.fromEntries(ports), gateway: { http: gatewayPort } }
}

async function requireFreePorts(ports: Ports): Promise<void> {
  const needed = Object.entries(ports).flatMap(([name, { http, grpc }]) => [
    { name, port: http },
    ...(grpc ? [{ name: `${name} (gRPC)`, port: grpc }] : []),
  ])
  const taken: string[] = []
  for (const { name, port } of needed) if (!(await isFree(port))) taken.push(`${port} for ${name}`)
  if (taken.length > 0) {
    throw new Error(`Ports that are needed are taken: ${taken.join(', ')}. Is the shop running already?`)
  }
}

function requireWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
  } catch {
    throw new Error(`The data folder ${folder} cannot be written to. Set DATA_DIR to one that can.`)
  }
}

/** Fills an empty shop. */
async function seed(databases: Record<ServiceName, string>): Promise<void> {
  if (existsSync(join(dataFolder, 'demo.json')) && (await hasProducts(databases.products))) return
  step('Filling the shop with a catalogue and accounts (the first time only)')
  await runScript('tools/seed.ts', {
    ...process.env,
    DATA_DIR: dataFolder,
    ...Object.fromEntries(serviceNames.map((name) => [databaseVariable(name), databases[name]])),
  })
}

async function hasProducts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query('SELECT FROM products LIMIT 1')).rows.length > 0
  } catch {
    return false
  } finally {
    await client.end()
  }
}

function announce(ports: Ports): void {
  const events = process.env.KAFKA_BROKERS ? `Kafka at ${process.env.KAFKA_BROKERS}` : 'in PostgreSQL'
  const place = (name: ProcessName) => {
    const { http, grpc } = ports[name]
    return `http://localhost:${http}${grpc ? `, gRPC ${grpc}` : ''}`
  }
  const demo = JSON.parse(readFileSync(join(dataFolder, 'demo.json'), 'utf8')) as Record<
    string,
    { email: string; password: string }
  >
  const rows: [string, string][] = [
    ...processNames.map((name): [string, string] => [name, place(name)]),
    ['PostgreSQL', postgres ? `port ${postgresPort}` : 'as the variables say'],
    ['event log', events],
    ['e-mail', `${relative(process.cwd(), join(dataFolder, 'mail')) || dataFolder}/*.eml`],
    ...Object.entries(demo).map(([role, { email, password }]): [string, string] => [role, `${email}  ${password}`]),
  ]
  console.log(
    `
${rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`).join('\n')}

  Open http://localhost:${gatewayPort}/graphql in a browser for Apollo Sandbox, and try:

    { products(first: 3) { edges { node { name price { amount currency } available } } } }

  npm run demo walks the whole path. Ctrl-C stops everything.

Ready after ${seconds()} s.`,
  )
}

async function stop(code: number): Promise<void> {
  if (stopping) process.exit(1)
  stopping = true
  const began = performance.now()
  await stack?.stop()
  postgres?.stop()
  if (code === 0) console.log(`Stopped after ${((performance.now() - began) / 1000).toFixed(1)} s.`)
  process.exit(code)
}

function step(what: string): void {
  console.log(`${seconds().padStart(5)} s  ${what} ...`)
}

function print(name: string, text: string): void {
  for (const line of text.split('\n')) console.log(`${name.padEnd(13)} | ${line}`)
}

function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1)
}
