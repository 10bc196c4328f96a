import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSmtpServer } from '../../test/infra/smtp-server.ts'
import { consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import { redisVersion, startRedis } from '../../tools/infra/redis.ts'
import { startTemporaryPostgres } from '../../tools/infra/temporary-postgres.ts'
import { root, serviceNames } from '../../tools/services.ts'

/**
 * The servers of `docker-compose.yml` on this machine, with the settings and the secrets of the folder, which name other
 * places for data. `at` tells where each `host:port` of the file is here.
 */
export async function startServers(secrets: string) {
  const read = (name: string) => readFileSync(join(secrets, name), 'utf8')
  const stops: (() => unknown)[] = []
  const at = new Map<string, string>()
  const stop = async () => {
    for (const end of stops.reverse()) await end()
  }
  try {
    const postgres = await startTemporaryPostgres()
    stops.push(postgres.stop)
    for (const name of serviceNames) {
      makeRole(name, postgres.url('postgres'))
      at.set(`${name}-db:5432`, `127.0.0.1:${postgres.port}`)
    }
    const redis = await startRedis(join(secrets, 'redis_config'))
    stops.push(redis.stop)
    at.set('redis:6379', new URL(redis.url).host)

    const kafka = await startKafka(undefined, ({ folder, port, controllerPort }) =>
      read('kafka_config')
        .replaceAll(':9093', `:${controllerPort}`)
        .replaceAll(':9092', `:${port}`)
        .replace('/var/lib/kafka/data', join(folder, 'data'))
        .replaceAll('//kafka:', '//127.0.0.1:')
        .split('\n'),
    )
    stops.push(kafka.stop)
    at.set('kafka:9092', kafka.brokers)

    const consul = await startConsul(consulFile())
    stops.push(consul.stop)
    at.set('consul:8500', consul.address)

    const mail = await startSmtpServer()
    stops.push(mail.close)
    at.set('mail:1025', `127.0.0.1:${mail.port}`)
    return { at, postgres, consul, mails: mail.mails, stop }
  } catch (error) {
    await stop()
    throw error
  }

  function makeRole(service: string, server: string): void {
    const script = readFileSync(join(root, 'deploy/postgres/role.sh'), 'utf8')
    const { hostname, port, password } = new URL(server)
    const here = script.replace('/run/secrets/database_password', join(secrets, `${service}_database_password`))
    const env = { PATH: process.env.PATH, PGHOST: hostname, PGPORT: port, PGPASSWORD: password, SERVICE: service }
    execFileSync('sh', ['-c', here], { env, stdio: 'pipe' })
  }

  /** Consul before 1.11 has another word for the first token. */
  function consulFile(): string {
    const [major = 0, minor = 0] = (consulVersion() ?? '').split('.').map(Number)
    const former = major === 1 && minor < 11
    const config = read('consul_config').replace('/consul/data', join(secrets, 'consul'))
    const file = join(secrets, 'consul.json')
    writeFileSync(file, former ? config.replace('initial_management', 'master') : config)
    return file
  }
}

export type Servers = Awaited<ReturnType<typeof startServers>>

/** Why the servers cannot be started here, in words. Undefined when they can. */
export function serversMissing(): string | undefined {
  if (spawnSync('psql', ['--version']).status !== 0) return 'there is no psql'
  if (!redisVersion()) return 'there is no redis-server'
  if (!consulVersion()) return 'there is no consul'
  return kafkaMissing()
}
