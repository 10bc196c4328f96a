import { join } from 'node:path'
import type { Settings } from '#platform/env.ts'
import { settings as gatewaySettings } from '../gateway/config.ts'
import { settings as notificationsSettings } from '../subgraphs/notifications/config.ts'
import { settings as ordersSettings } from '../subgraphs/orders/config.ts'
import { settings as paymentsSettings } from '../subgraphs/payments/config.ts'
import { settings as productsSettings } from '../subgraphs/products/config.ts'
import { settings as usersSettings } from '../subgraphs/users/config.ts'
import { everythingUp } from './infra/health.ts'
import { publicKeys, type Secrets } from './infra/secrets.ts'
import { type Supervised, supervise } from './infra/supervise.ts'
import { databaseVariable, root, type ServiceName, serviceNames } from './services.ts'

export type ProcessName = ServiceName | 'gateway'
export const processNames: readonly ProcessName[] = [...serviceNames, 'gateway']

/** What each process reads from its environment. */
export const settingsOf: Record<ProcessName, Settings> = {
  users: usersSettings,
  products: productsSettings,
  orders: ordersSettings,
  payments: paymentsSettings,
  notifications: notificationsSettings,
  gateway: gatewaySettings,
}

export type Ports = Record<ProcessName, { http: number; grpc?: number }>

export type StackOptions = {
  ports: Ports
  /** Where there are further instances, with the database of the first. Default: there are none. */
  twins?: Partial<Record<ProcessName, readonly Ports[ProcessName][]>>
  secrets: Secrets
  /** The URL of each service's database. */
  databases: Record<ServiceName, string>
  /** Which event log. */
  events: { EVENTS_DATABASE_URL: string } | { KAFKA_BROKERS: string; KAFKA_PREFIX?: string }
  mailFolder: string
  smsFolder: string
  pushFolder: string
  /** The file of the audit log of all processes. */
  auditLog: string
  /** The environment that is passed on, each process getting the settings it reads. The stack's own wiring goes before. */
  env?: NodeJS.ProcessEnv
  /** More variables for one process, and options of its Node. */
  extra?: Partial<Record<ProcessName, { env?: Record<string, string>; nodeOptions?: string[] }>>
  /** Milliseconds that the pause before a crashed process starts again may grow to. Default 10000. */
  longestPause?: number
  onLine: (process: ProcessName, line: string) => void
  onCrash: (process: ProcessName, how: string, pause: number) => void
}

/**
 * Of each process. Six of them share a machine: an old generation that is collected once it has grown by 60 %, in place of up to four times, and a young
 * one of halves of 16 MiB take a quarter less memory under load, and no more CPU (docs/performance-shop.md).
 */
const nodeOptions = [
  '--disable-warning=TimeoutNegativeWarning',
  '--heap-growing-percent=60',
  '--max-semi-space-size=16',
]

/** The gateway and the services, each a process of its own, wired to each other. */
export function createStack(options: StackOptions) {
  const { ports, twins: twinsPorts = {}, env = {}, extra = {}, longestPause, onLine, onCrash } = options
  const host = reachable(env.HOST || '127.0.0.1')
  const urlOf = (name: ProcessName) => `http://${host}:${ports[name].http}`
  const graphqlUrl = (name: ProcessName) => `${urlOf(name)}/graphql`

  function instanceOf(name: ProcessName, own = ports[name], number = 1): Supervised {
    return supervise({
      name: number === 1 ? name : `${name} (${number})`,
      entry: join(root, name === 'gateway' ? 'gateway/main.ts' : `subgraphs/${name}/main.ts`),
      env: { ...system(), ...settingsFor(name, options, own), ...extra[name]?.env },
      nodeOptions: [...nodeOptions, ...(extra[name]?.nodeOptions ?? [])],
      ...(longestPause && { longestPause }),
      onLine: (line) => onLine(name, line),
      onCrash: (how, pause) => onCrash(name, how, pause),
    })
  }

  const processes = Object.fromEntries(processNames.map((name) => [name, instanceOf(name)])) as Record<
    ProcessName,
    Supervised
  >
  const twins = (name: ProcessName) => furtherInstances[name]
  const furtherInstances = Object.fromEntries(
    processNames.map((name) => {
      const further = twinsPorts[name] ?? []
      return [
        name,
        further.map((own, index) => ({ process: instanceOf(name, own, index + 2), url: `http://${host}:${own.http}` })),
      ]
    }),
  ) as Record<ProcessName, { process: Supervised; url: string }[]>
  const allTwins = Object.values(furtherInstances).flat()
  const all = [...Object.values(processes), ...allTwins.map(({ process }) => process)]

  /** The gateways first, so that nothing new comes in while the services finish. */
  async function stop(): Promise<void> {
    await Promise.all([processes.gateway.stop(), ...twins('gateway').map(({ process }) => process.stop())])
    await Promise.all(all.map((process) => process.stop()))
  }

  return {
    processes,
    /** The further instances of a process. */
    twins,
    /** Where each instance of a process is, the first one first. */
    instancesOf: (name: ProcessName): string[] => [urlOf(name), ...twins(name).map(({ url }) => url)],
    url: graphqlUrl('gateway'),
    urlOf,
    graphqlUrl,
    /** Starts everything and waits until all of it works, each process reaching what it needs. Stops it where it does not. */
    async start(): Promise<void> {
      try {
        for (const process of all) process.start()
        await Promise.all(all.map(({ ready }) => ready))
        const urls = [
          ...processNames.map((name) => [name, urlOf(name)]),
          ...allTwins.map(({ process: { name }, url }) => [name, url]),
        ]
        await everythingUp(Object.fromEntries(urls.map(([name, url]) => [name, `${url}/health`])))
      } catch (error) {
        await stop()
        throw error
      }
    },
    stop,
  }
}

export type Stack = ReturnType<typeof createStack>

/**
 * The settings of one process: of those it reads, what the environment sets, and over it how the shop is wired, so that
 * a variable meant for something else cannot part its processes. Empty variables count as absent, as they do when read.
 */
export function settingsFor(
  name: ProcessName,
  {
    ports,
    twins = {},
    secrets,
    databases,
    events,
    mailFolder,
    smsFolder,
    pushFolder,
    auditLog,
    env = {},
  }: StackOptions,
  { http, grpc } = ports[name],
): Record<string, string> {
  const host = reachable(env.HOST || '127.0.0.1')
  const address = (port: number | undefined) => `${host}:${port}`
  const each = (service: ServiceName, addressOf: (ports: Ports[ServiceName]) => string) =>
    [ports[service], ...(twins[service] ?? [])].map(addressOf).join()
  const grpcUrls = (service: ServiceName) => each(service, ({ grpc }) => address(grpc))
  const wiring: Record<string, string> = {
    ...events,
    SERVICE_JWKS: JSON.stringify(publicKeys(secrets)),
    SERVICE_PRIVATE_KEY: JSON.stringify(secrets.keys[name]),
    PORT: String(http),
    ...(grpc && { GRPC_PORT: String(grpc) }),
    // As a rule there is one instance of each: nobody could go to another one meanwhile.
    SHUTDOWN_DELAY: env.SHUTDOWN_DELAY || '0',
    MAIL_DIR: mailFolder,
    SMS_DIR: smsFolder,
    PUSH_DIR: pushFolder,
    AUDIT_LOG: auditLog,
    USERS_GRPC_URLS: grpcUrls('users'),
    PRODUCTS_GRPC_URLS: grpcUrls('products'),
    ORDERS_GRPC_URLS: grpcUrls('orders'),
    NOTIFICATIONS_GRPC_URLS: grpcUrls('notifications'),
    SANDBOX_SECRET: secrets.sandbox,
    // Each instance of payments has the sandbox at hand.
    SANDBOX_URL: `http://${address(http)}/sandbox`,
    SANDBOX_WEBHOOK_URL: `http://${address(ports.gateway.http)}/webhooks/payments`,
    JWKS_URL: `http://${address(ports.users.http)}/.well-known/jwks.json`,
    ...Object.fromEntries(
      serviceNames.map((service) => [
        `${service.toUpperCase()}_URLS`,
        each(service, ({ http }) => `http://${address(http)}/graphql`),
      ]),
    ),
    ...Object.fromEntries(serviceNames.map((service) => [databaseVariable(service), databases[service]])),
  }
  return Object.fromEntries(
    Object.keys(settingsOf[name]).flatMap((variable) => {
      const value = wiring[variable] ?? env[variable]
      const file = wiring[variable] === undefined && env[`${variable}_FILE`]
      return [...(value ? [[variable, value]] : []), ...(file ? [[`${variable}_FILE`, file]] : [])]
    }),
  )
}

/** The address at which this machine reaches what listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** What every process gets of the machine's environment. */
function system(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'NODE_EXTRA_CA_CERTS']
  const passed = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(passed), NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node') }
}
