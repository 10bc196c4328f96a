import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#platform/database/migrate.ts'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../../subgraphs/products/store.ts'
import { startConsul } from '../../tools/infra/consul.ts'
import { startKafka } from '../../tools/infra/kafka.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { startPostgres } from '../../tools/infra/postgres.ts'
import { startRedis } from '../../tools/infra/redis.ts'
import { ensureSecrets } from '../../tools/infra/secrets.ts'
import { addBigCatalogue } from '../../tools/seed/big-catalogue.ts'
import { migrationsFolder, root, type ServiceName, serviceNames } from '../../tools/services.ts'
import { createStack, type Ports, type ProcessName, processNames, type StackOptions } from '../../tools/stack.ts'
import { signUpAll } from './customers.ts'

export type ShopOptions = {
  /** Kafka and Redis, in place of the embedded event log and of what each process remembers for itself. */
  real: boolean
  /** Of each process. More than one are found through Consul. */
  instances: number
  /** Without the product cache, with a database connection for each statement or transaction, and without loaders' batches. */
  before: boolean
  /** With the gateway's response cache, which is off by default. */
  cache: boolean
  /** The folder that each process writes its CPU profile to when it ends. */
  profiles?: string | undefined
  customers: number
  products: number
}

/** Every limit is on and counts, and none is reached. */
const many = '1000000000'
const limits: Partial<Record<ProcessName, Record<string, string>>> = {
  gateway: { RATE_LIMIT_ANONYMOUS: many, RATE_LIMIT_COST: many, RATE_LIMIT_FIELD: many, RATE_LIMIT_WEBHOOKS: many },
  users: { WRONG_PASSWORDS: many, WRONG_PASSWORDS_PER_ADDRESS: many },
  orders: { MAX_UNPAID_ORDERS: many },
  payments: { MAX_DECLINED_PAYMENTS: many },
}

/** The whole shop as `npm start` runs it, with a PostgreSQL that writes to disk, in a temporary folder that goes with it. */
export async function startShop({ real, instances, before, cache, profiles, customers, products }: ShopOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-bench-'))
  chmodSync(folder, 0o755)
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })]
  /** However the process ends, no server stays behind. */
  const cleanUp = () => {
    for (const end of ends.splice(0).reverse()) end()
  }
  process.on('exit', cleanUp)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

  const [port = 0, ...free] = await freePorts(1 + processNames.length * instances * 2)
  const data = join(folder, 'postgres')
  const secrets = await ensureSecrets(folder, [...serviceNames, 'events'], processNames)
  const postgres = await startPostgres({ folder: data, port, password: secrets.postgres, commitTimes: true })
  ends.push(postgres.stop)
  const role = (name: string) => ({ name, password: secrets.databases[name] ?? '' })
  for (const name of [...serviceNames, 'events']) await postgres.ensureDatabase(role(name))
  const databases = Object.fromEntries(serviceNames.map((name) => [name, postgres.url(name, role(name))])) as Record<
    ServiceName,
    string
  >
  await fill(databases.products, products)

  const kafka = real ? await startKafka() : undefined
  if (kafka) ends.push(kafka.stop)
  const redis = real ? await startRedis() : undefined
  if (redis) ends.push(redis.stop)

  const consul = instances > 1 ? await startConsul() : undefined
  if (consul) ends.push(consul.stop)

  const ports = new Map(
    processNames.map((name) => [
      name,
      Array.from({ length: instances }, () => ({ http: free.pop() ?? 0, grpc: free.pop() ?? 0 })),
    ]),
  )
  const portsOf = (name: ProcessName) => ports.get(name) ?? []
  const stack = createStack({
    ports: Object.fromEntries(processNames.map((name) => [name, portsOf(name)[0]])) as Ports,
    twins: Object.fromEntries(processNames.map((name) => [name, portsOf(name).slice(1)])),
    secrets,
    databases,
    events: kafka ? { KAFKA_BROKERS: kafka.brokers } : { EVENTS_DATABASE_URL: postgres.url('events', role('events')) },
    mailFolder: join(folder, 'mail'),
    smsFolder: join(folder, 'sms'),
    pushFolder: join(folder, 'push'),
    auditLog: join(folder, 'audit.log'),
    env: { ...(redis && { REDIS_URL: redis.url }), ...(consul && { CONSUL_HTTP_ADDR: consul.address }) },
    extra: extrasOf({ before, cache, profiles }),
    onLine: (name, line) => {
      if (/"level":"?(error|fatal|50|60)/.test(line)) console.error(name, line.slice(0, 300))
    },
    onCrash: (name, how) => console.error(`${name} ended: ${how}`),
  })
  ends.push(() => {
    for (const name of processNames) {
      stack.processes[name].kill('SIGKILL')
      for (const { process } of stack.twins(name)) process.kill('SIGKILL')
    }
  })
  await stack.start()
  return {
    stack,
    postgres,
    /** Of each instance of a process, the first one first. */
    portsOf,
    redisUrl: redis?.url,
    kafkaPort: kafka && Number(kafka.brokers.split(':')[1]),
    consulPort: consul && Number(consul.address.split(':')[1]),
    /** The folder of PostgreSQL's data. */
    data,
    customers: await signUpAll(stack.url, customers),
    async stop(): Promise<void> {
      await stack.stop()
      cleanUp()
      process.off('exit', cleanUp)
    },
  }
}

export type Shop = Awaited<ReturnType<typeof startShop>>

function extrasOf({
  before,
  cache,
  profiles,
}: Pick<ShopOptions, 'before' | 'cache' | 'profiles'>): NonNullable<StackOptions['extra']> {
  const nodeOptions = [
    ...(before ? [`--import=${join(root, 'bench/shop/before.ts')}`] : []),
    ...(profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []),
  ]
  const extras = processNames.map((name) => {
    const own = limits[name] ?? {}
    const caches: Record<string, string> = {
      ...(before && name === 'products' && { PRODUCT_CACHE: '0' }),
      ...(cache && name === 'gateway' && { RESPONSE_CACHE: 'on' }),
    }
    const named = profiles ? [`--cpu-prof-name=${name}.cpuprofile`] : []
    return [name, { env: { ...own, ...caches }, nodeOptions: [...nodeOptions, ...named] }]
  })
  return Object.fromEntries(extras)
}

/** Adds the catalogue, which a busy machine may need several attempts for: each adds what is missing. */
async function fill(url: string, products: number, attempts = 5): Promise<void> {
  await migrate({ url, folder: migrationsFolder('products'), log })
  const database = openDatabase({ name: 'bench', url, poolSize: 1, log })
  const store = createProductsStore(database.adapter)
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await addBigCatalogue(store, products)
      } catch (error) {
        if (attempt >= attempts) throw error
      }
    }
  } finally {
    await store.close()
    await database.close()
  }
}
