/** The gateways that are compared, and how each is started. All are asked the same, with the same headers. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { request } from 'undici'
import { freePorts } from '../../tools/infra/ports.ts'
import { root } from '../../tools/services.ts'
import { peersFolder } from './peers.ts'
import { type Started, start, until } from './processes.ts'

export type Place = {
  /** For files of this run. */
  readonly folder: string
  /** Files of the supergraph schema, without and with access rules. */
  readonly open: string
  readonly guarded: string
  readonly jwksUrl: string
  /** The key that signs principals, as a JWK. */
  readonly gatewayKey: string
  /** A binary of Hive Router. */
  readonly hiveRouter: string | undefined
}

type Row = {
  readonly label: string
  /** Whether it can be started here. */
  readonly available?: (place: Place) => boolean
  readonly run: (place: Place, port: number) => Started | Promise<Started>
}

const peer = (file: string) => join(peersFolder, file)
const production = { NODE_ENV: 'production' }

/** Ours is started by its own main. Limits that a bench would run into are lifted, not turned off: they are counted. */
function ours(env: Record<string, string>, port: number): Started {
  const own = { PORT: String(port), HOST: '127.0.0.1', SHUTDOWN_DELAY: '0', EXPLORER: 'off', INTROSPECTION: 'off' }
  return start(process.execPath, [join(root, 'gateway/main.ts')], { ...own, MAX_EVENT_LOOP_DELAY: '60000', ...env })
}

function hive({ open }: Place, port: number, ...flags: string[]): Started {
  const program = peer('node_modules/@graphql-hive/gateway/dist/bin.js')
  const args = [program, 'supergraph', open, '--host', '127.0.0.1', '--port', String(port), ...flags]
  return start(process.execPath, args, production, peersFolder)
}

async function hiveRouter({ open, folder, hiveRouter }: Place, port: number, sharing: boolean): Promise<Started> {
  const file = join(folder, `hive-router-${port}.json`)
  const config = {
    http: { host: '127.0.0.1', port },
    supergraph: { source: 'file', path: open },
    traffic_shaping: { all: { dedupe_enabled: sharing } },
  }
  await writeFile(file, JSON.stringify(config))
  return start(hiveRouter ?? '', [], { ROUTER_CONFIG_FILE_PATH: file }, folder)
}

const hasRouter = ({ hiveRouter }: Place) => hiveRouter !== undefined

export const rows = {
  /** The reference. */
  apollo: {
    label: 'Apollo Server + Gateway',
    run: ({ open }, port) => start(process.execPath, [peer('apollo.ts'), open, String(port)], production),
  },
  'hive-js': { label: 'Hive Gateway, JavaScript planner', run: (place, port) => hive(place, port) },
  'hive-rust': {
    label: 'Hive Gateway, Rust planner',
    run: (place, port) => hive(place, port, '--hive-router-runtime'),
  },
  /** Tokens, access rules, signed principals, limits, costs, quotas, breakers, trace context, stale answers. */
  'ours-on': {
    label: 'this gateway, everything on',
    run: ({ guarded, jwksUrl, gatewayKey }, port) =>
      ours(
        {
          SUPERGRAPH_FILE: guarded,
          JWKS_URL: jwksUrl,
          SERVICE_PRIVATE_KEY: gatewayKey,
          RATE_LIMIT_COST: '1000000000',
        },
        port,
      ),
  },
  'ours-off': {
    label: 'this gateway, everything off',
    run: ({ open }, port) =>
      ours(
        {
          SUPERGRAPH_FILE: open,
          LIMITS: 'off',
          RATE_LIMITS: 'off',
          PERSISTED_QUERIES: 'off',
          STALE_CACHE_BYTES: '0',
        },
        port,
      ),
  },
  'hive-router': {
    label: 'Hive Router (Rust)',
    available: hasRouter,
    run: (place, port) => hiveRouter(place, port, true),
  },
  'hive-router-unshared': {
    label: 'Hive Router, in-flight sharing off',
    available: hasRouter,
    run: (place, port) => hiveRouter(place, port, false),
  },
} satisfies Record<string, Row>

export type RowName = keyof typeof rows
export const rowNames = Object.keys(rows) as RowName[]
export type Gateway = Started & { readonly name: RowName; readonly url: string }

export function isAvailable(name: RowName, place: Place): boolean {
  const { available }: Row = rows[name]
  return available?.(place) ?? true
}

/** Starts a gateway and waits until it answers. */
export async function startGateway(name: RowName, place: Place): Promise<Gateway> {
  const [port = 0] = await freePorts(1)
  const started = await rows[name].run(place, port)
  const url = `http://127.0.0.1:${port}/graphql`
  await until(started, async () => {
    const answer = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ __typename }"}',
    }).catch(() => undefined)
    await answer?.body.dump()
    return answer?.statusCode === 200 || undefined
  })
  return { ...started, name, url }
}
