import { join } from 'node:path'
import { settings as gatewaySettings } from '../gateway/config.ts'
import { settings as notificationsSettings } from '../subgraphs/notifications/config.ts'
import { settings as ordersSettings } from '../subgraphs/orders/config.ts'
import { settings as productsSettings } from '../subgraphs/products/config.ts'
import { settings as usersSettings } from '../subgraphs/users/config.ts'
import { publicKeys, type Secrets } from './infra/secrets.ts'
import { type Supervised, supervise } from './infra/supervise.ts'
import { databaseVariable, root, type ServiceName, serviceNames } from './services.ts'

export type ProcessName = ServiceName | 'gateway'
export const processNames: readonly ProcessName[] = [...serviceNames, 'gateway']

/** What each process reads from its environment. */
export const settingsOf: Record<ProcessName, Record<string, unknown>> = {
  users: usersSettings,
  products: productsSettings,
  orders: ordersSettings,
  notifications: notificationsSettings,
  gateway: gatewaySettings,
}

export type Ports = Record<ProcessName, { http: number; grpc?: number }>

export type StackOptions = {
  ports: Ports
  secrets: Secrets
  /** The URL of each service's database. */
  databases: Record<ServiceName, string>
  /** Which event log. */
  events: { EVENTS_DATABASE_URL: string } | { KAFKA_BROKERS: string; KAFKA_PREFIX?: string }
  mailFolder: string
  /** The environment that is passed on, each process getting the variables it reads. */
  env?: NodeJS.ProcessEnv
  /** More variables for one process, and options of its Node. */
  extra?: Partial<Record<ProcessName, { env?: Record<string, string>; nodeOptions?: string[] }>>
  /** Milliseconds that the pause before a crashed process starts again may grow to. Default 10000. */
  longestPause?: number
  onLine: (process: ProcessName, line: string) => void
  onCrash: (process: ProcessName, how: string, pause: number) => void
}

/** The gateway and the services, each a process of its own, wired to each other. */
export function createStack({
  ports,
  secrets,
  databases,
  events,
  mailFolder,
  env = {},
  extra = {},
  longestPause,
  onLine,
  onCrash,
}: StackOptions) {
  const keys = JSON.stringify(publicKeys(secrets))
  const address = (port: number | undefined) => `127.0.0.1:${port}`
  const graphqlUrl = (name: ProcessName) => `http://${address(ports[name].http)}/graphql`
  const wiring: Record<string, string> = {
    ...events,
    SERVICE_JWKS: keys,
    MAIL_DIR: mailFolder,
    USERS_GRPC_URLS: address(ports.users.grpc),
    PRODUCTS_GRPC_URLS: address(ports.products.grpc),
    JWKS_URL: `http://${address(ports.users.http)}/.well-known/jwks.json`,
    ...Object.fromEntries(serviceNames.map((name) => [`${name.toUpperCase()}_URLS`, graphqlUrl(name)])),
    ...Object.fromEntries(serviceNames.map((name) => [databaseVariable(name), databases[name]])),
  }

  const processes = Object.fromEntries(
    processNames.map((name) => {
      const own = {
        PORT: String(ports[name].http),
        ...(ports[name].grpc && { GRPC_PORT: String(ports[name].grpc) }),
        SERVICE_PRIVATE_KEY: JSON.stringify(secrets.keys[name]),
      }
      const wanted: Record<string, string | undefined> = { ...wiring, ...env, ...own, ...extra[name]?.env }
      const read = Object.keys(settingsOf[name]).flatMap((variable) => {
        const value = wanted[variable]
        return value === undefined ? [] : [[variable, value] as const]
      })
      const supervised = supervise({
        name,
        entry: join(root, name === 'gateway' ? 'gateway/main.ts' : `subgraphs/${name}/main.ts`),
        env: { ...system(), ...Object.fromEntries(read), ...extra[name]?.env },
        nodeOptions: ['--disable-warning=TimeoutNegativeWarning', ...(extra[name]?.nodeOptions ?? [])],
        ...(longestPause && { longestPause }),
        onLine: (line) => onLine(name, line),
        onCrash: (how, pause) => onCrash(name, how, pause),
      })
      return [name, supervised]
    }),
  ) as Record<ProcessName, Supervised>

  return {
    processes,
    url: graphqlUrl('gateway'),
    graphqlUrl,
    /** Starts everything and waits until all of it is ready. */
    async start(): Promise<void> {
      for (const process of Object.values(processes)) process.start()
      await Promise.all(Object.values(processes).map(({ ready }) => ready))
    },
    /** The gateway first, so that nothing new comes in while the services finish. */
    async stop(): Promise<void> {
      await processes.gateway.stop()
      await Promise.all(serviceNames.map((name) => processes[name].stop()))
    },
  }
}

export type Stack = ReturnType<typeof createStack>

/** What every process gets of the machine's environment. */
function system(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'NODE_EXTRA_CA_CERTS']
  const passed = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(passed), NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node') }
}
