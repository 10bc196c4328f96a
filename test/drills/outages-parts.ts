import { type ConsulAgent, consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { type Kafka, kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import { type RedisServer, redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { databaseVariable, type ServiceName, serviceNames } from '../../tools/services.ts'
import type { ProcessName } from '../../tools/stack.ts'
import { type KillablePostgres, startKillablePostgres } from '../infra/killable-postgres.ts'
import { createTestDatabase } from '../infra/parts.ts'
import { startTcpProxy, type TcpProxy } from '../infra/tcp-proxy.ts'

/** A part of the shop that is not one of its processes. */
export type Part = { name: string; take: () => Promise<void> | void; bring: () => Promise<void> }

/**
 * Parts of our own, each of which can be taken away: those of all tests stay. What cannot be started here is left out, and
 * `few` leaves out a server of PostgreSQL, Kafka and Consul, which take their time to start.
 */
export async function startParts({ few }: { few: boolean }) {
  const postgres = few ? undefined : await startKillablePostgres()
  const databases = {} as Record<ServiceName, string>
  const proxies = {} as Record<ServiceName, TcpProxy>
  for (const name of serviceNames) {
    databases[name] = await (postgres ? postgres.create(name) : createTestDatabase(name))
    proxies[name] = await startTcpProxy(Number(new URL(databases[name]).port))
  }
  const [redis, consul, kafka] = await Promise.all([
    redisVersion() ? startRedis() : undefined,
    !few && consulVersion() ? startConsul() : undefined,
    few || kafkaMissing() ? undefined : startKafka(),
  ])

  const everywhere = { ...(redis && { REDIS_URL: redis.url }), ...(consul && { CONSUL_HTTP_ADDR: consul.address }) }
  const own: Partial<Record<ProcessName, Record<string, string>>> = {
    gateway: { ...counting, ...deadlines },
    payments: { PAYMENT_PATIENCE: '5' },
  }
  const envOf = (name: ProcessName) => ({
    ...everywhere,
    ...(name !== 'gateway' && { [databaseVariable(name)]: throughProxy(databases[name], proxies[name]) }),
    ...own[name],
  })
  return {
    databases,
    envOf,
    eventLog: kafka && ({ events: 'Kafka', brokers: kafka.brokers } as const),
    parts: partsOf({ postgres, proxies, redis, consul, kafka }),
    async stop(): Promise<void> {
      await Promise.all(Object.values(proxies).map(({ stop }) => stop()))
      for (const part of [redis, consul, kafka, postgres]) part?.stop()
    },
  }
}

/** Limits that nobody reaches, so that they are counted, in Redis. */
const counting = {
  RATE_LIMITS: 'on',
  RATE_LIMIT_ANONYMOUS: '1000000',
  RATE_LIMIT_COST: '1000000000',
  RATE_LIMIT_FIELD: '1000000',
  RATE_LIMIT_WEBHOOKS: '1000000',
}

/** Those of a shop that is set up as it comes. */
const deadlines = { REQUEST_TIMEOUT: '10000', SUBGRAPH_TIMEOUT: '5000' }

function throughProxy(url: string, { port }: TcpProxy): string {
  const proxied = new URL(url)
  proxied.port = String(port)
  return proxied.href
}

type Servers = {
  postgres: KillablePostgres | undefined
  proxies: Record<ServiceName, TcpProxy>
  redis: RedisServer | undefined
  consul: ConsulAgent | undefined
  kafka: Kafka | undefined
}

function partsOf({ postgres, proxies, redis, consul, kafka }: Servers): Part[] {
  const cut = serviceNames.map((name) => ({
    name: `database of ${name}`,
    take: proxies[name].cut,
    bring: proxies[name].restore,
  }))
  const { orders } = proxies
  return [
    ...cut,
    { name: 'database of orders, silent', take: orders.silence, bring: orders.restore },
    ...(postgres ? [{ name: 'PostgreSQL', take: postgres.kill, bring: postgres.restart }] : []),
    ...(redis ? [{ name: 'Redis', take: redis.kill, bring: redis.restart }] : []),
    ...(kafka ? [{ name: 'Kafka', take: () => kafka.kill('SIGKILL'), bring: kafka.restart }] : []),
    ...(consul ? [{ name: 'Consul', take: consul.kill, bring: consul.restart }] : []),
  ]
}
