import { readdirSync, readFileSync } from 'node:fs'
import { silentLog as log } from '#platform/log.ts'
import { openRedis } from '#platform/redis.ts'
import { scrape } from '../../test/infra/scrape.ts'
import { serviceNames } from '../../tools/services.ts'
import { processNames } from '../../tools/stack.ts'
import type { Shop } from './shop.ts'

/** What all instances together asked of what they share, and of each other. */
export type Asked = Record<string, number>
/** Connections that are open, by what they lead to. */
export type Open = Record<string, number>

/** Series that are counters of the instances, summed by name. */
const counters = {
  'fetches from subgraphs': 'subgraph_fetch_duration_seconds_count',
  'RPCs between services': 'rpc_client_call_duration_seconds_count',
  'statements to PostgreSQL': 'db_statements_total',
  'events published': 'events_published_total',
  'events handled': 'events_handled_total',
}

/** Counts what the instances of a shop ask of what they have in common. Linux only. */
export async function createShared({ stack, postgres, portsOf, redisUrl, kafkaPort, consulPort }: Shop) {
  const redis = redisUrl === undefined ? undefined : await openRedis({ url: redisUrl, name: 'bench', log })

  async function now(): Promise<Asked> {
    const scrapes = await Promise.all(
      processNames.flatMap((name) => stack.instancesOf(name)).map((address) => scrape(address)),
    )
    const sum = (wanted: string) =>
      scrapes
        .flatMap((scraped) => [...scraped])
        .reduce((total, [series, value]) => (series.split('{')[0] === wanted ? total + value : total), 0)
    const { rows } = await postgres.query(`
      SELECT datname AS name, (xact_commit + xact_rollback)::float8 AS transactions, active_time AS active
      FROM pg_stat_database WHERE datname IN ('events', ${serviceNames.map((name) => `'${name}'`).join()}) ORDER BY 1`)
    const told = await redis?.ask((client) => client.info('stats'))
    return {
      ...Object.fromEntries(Object.entries(counters).map(([name, series]) => [name, sum(series)])),
      'transactions of PostgreSQL': rows.reduce((total, { transactions }) => total + transactions, 0),
      // Milliseconds in which a session was busy: CPU, and waiting for locks and disks.
      ...Object.fromEntries(rows.map(({ name, active }) => [`PostgreSQL busy, ${name}, ms`, active])),
      ...(told && { 'commands to Redis': Number(/total_commands_processed:(\d+)/.exec(told)?.[1]) }),
    }
  }

  async function open(): Promise<Open> {
    const { rows } = await postgres.query(
      'SELECT datname AS name, count(*)::int AS n FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1',
    )
    const ports = established()
    const to = (port: number) => ports.filter((local) => local === port).length
    const services = processNames.filter((name) => name !== 'gateway')
    const toAll = (of: readonly number[]) => of.reduce((sum, port) => sum + to(port), 0)
    return {
      ...Object.fromEntries(rows.map(({ name, n }) => [`PostgreSQL, ${name}`, n])),
      ...(redisUrl && { Redis: to(Number(new URL(redisUrl).port)) }),
      ...(kafkaPort && { Kafka: to(kafkaPort) }),
      ...(consulPort && { Consul: to(consulPort) }),
      'HTTP of subgraphs': toAll(services.flatMap((name) => portsOf(name).map(({ http }) => http))),
      gRPC: toAll(services.flatMap((name) => portsOf(name).map(({ grpc = 0 }) => grpc))),
    }
  }

  return {
    /** Begins to count; what it answers ends it. */
    async begin(): Promise<() => Promise<Asked>> {
      const before = await now()
      return async () => {
        const after = await now()
        return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]))
      }
    },
    open,
    close: async (): Promise<void> => void (await redis?.close()),
  }
}

export type Shared = Awaited<ReturnType<typeof createShared>>

/** The local ports of the machine's TCP connections that are established: proc(5), `/proc/net/tcp`. */
function established(): number[] {
  return ['tcp', 'tcp6']
    .filter((file) => readdirSync('/proc/net').includes(file))
    .flatMap((file) => readFileSync(`/proc/net/${file}`, 'utf8').split('\n').slice(1))
    .flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/)
      return state === '01' ? [Number.parseInt(local.split(':').at(-1) ?? '', 16)] : []
    })
}

/** Both as a table for a terminal. */
export function sharedTable(asked: Asked, requests: number, open: Open): string {
  const row = (name: string, value: string) => `${name.padEnd(28)} ${value.padStart(9)}`
  return [
    row('asked of what is shared', 'a request'),
    ...Object.entries(asked).map(([name, value]) => row(name, (value / requests).toFixed(3))),
    '',
    row('open connections', ''),
    ...Object.entries(open).map(([name, value]) => row(name, String(value))),
    '',
  ].join('\n')
}
