import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../services.ts'
import { listening } from './listening.ts'
import { freePorts } from './ports.ts'

/** Where `mvn -f deploy/kafka/pom.xml dependency:copy-dependencies` puts the jars. */
const jars = join(root, 'deploy/kafka/target/dependency')
/** Milliseconds that a broker has to start. */
const startLimit = 120_000

/** Besides plain connections: TLS with sign-in, and TLS with a certificate that clients need too. */
export type KafkaSecurity = {
  /** PEM, for 127.0.0.1: the broker's, and the only one that it takes of a client. */
  certificate: string
  /** PEM, PKCS #8. */
  key: string
  user: { name: string; password: string }
}

/** A Kafka broker of our own, in a temporary folder that goes with it. It ends with this process at the latest. */
export type Kafka = {
  readonly brokers: string
  /** With security: where it is reached by TLS and sign-in, and by TLS and a client's certificate. */
  readonly secured: { sasl: string; certificate: string }
  /** Ends the broker: as a crash would, or in order. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Starts the broker again over the same data. */
  restart(): Promise<void>
  stop(): void
}

/** Why no broker can be started here, in words. Undefined when one can. */
export function kafkaMissing(): string | undefined {
  if (!existsSync(jars)) return 'its jars are not there (mvn -f deploy/kafka/pom.xml dependency:copy-dependencies)'
  if (spawnSync('java', ['-version']).status !== 0) return 'there is no Java'
  return undefined
}

/** `rewrite`: gives the properties of the broker, in place of those of a development broker. */
export async function startKafka(security?: KafkaSecurity, rewrite?: (place: Place) => string[]): Promise<Kafka> {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-kafka-'))
  let broker: ChildProcess | undefined
  function stop(): void {
    process.off('exit', stop)
    broker?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.on('exit', stop)

  const [port = 0, controllerPort = 0, saslPort = 0, sslPort = 0] = await freePorts(4)
  const properties = join(folder, 'server.properties')
  const lines = (rewrite ?? serverProperties)({ folder, port, controllerPort })
  if (security) lines.push(...securityProperties({ folder, port, controllerPort, saslPort, sslPort }, security))
  writeFileSync(properties, `${lines.join('\n')}\n`)
  const id = randomBytes(16).toString('base64url')
  const users = security ? scramUsers(security) : []
  const formatted = java(['kafka.tools.StorageTool', 'format', `--cluster-id=${id}`, '-c', properties, ...users])
  if (formatted.status !== 0) {
    const { status, signal, error, stdout, stderr } = formatted
    throw new Error(`Formatting Kafka's storage failed (${status ?? signal ?? error}): ${stdout}${stderr}`)
  }

  async function start(): Promise<void> {
    const log = join(folder, 'broker.log')
    const own = launch(properties, log)
    broker = own
    try {
      await listening(own, { name: 'The Kafka broker', port, limit: startLimit })
    } catch (cause) {
      const end = own.exitCode ?? own.signalCode ?? 'it still runs'
      const said = readFileSync(log, 'utf8').slice(-2_000)
      throw new Error(`The Kafka broker did not start (${end}):\n${said}`, { cause })
    }
  }
  await start()
  return {
    brokers: `127.0.0.1:${port}`,
    secured: { sasl: `127.0.0.1:${saslPort}`, certificate: `127.0.0.1:${sslPort}` },
    async kill(signal = 'SIGKILL') {
      const exited = new Promise((resolve) => broker?.once('exit', resolve))
      if (broker?.kill(signal)) await exited
    },
    restart: start,
    stop,
  }
}

export type Place = { folder: string; port: number; controllerPort: number }

function serverProperties({ folder, port, controllerPort }: Place): string[] {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(folder, 'data')}`,
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'offsets.topic.num.partitions=4',
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
    // A broker that was killed is let in again when its session is over.
    'broker.session.timeout.ms=4000',
    'broker.heartbeat.interval.ms=500',
    `initial.broker.registration.timeout.ms=${startLimit}`,
    // Of the memory below, of which it would have half.
    'log.cleaner.dedupe.buffer.size=2097152',
  ]
}

/** Of two lines for one property the last counts. */
function securityProperties(
  { folder, port, controllerPort, saslPort, sslPort }: Place & { saslPort: number; sslPort: number },
  { certificate, key, user }: KafkaSecurity,
): string[] {
  const [store, trusted] = [join(folder, 'store.pem'), join(folder, 'trusted.pem')]
  writeFileSync(store, key + certificate, { mode: 0o600 })
  writeFileSync(trusted, certificate)
  const names = { PLAINTEXT: port, SASL_SSL: saslPort, SSL: sslPort, CONTROLLER: controllerPort }
  const listeners = Object.entries(names).map(([name, port]) => `${name}://127.0.0.1:${port}`)
  const module = 'org.apache.kafka.common.security'
  return [
    `listeners=${listeners.join()}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${store}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${trusted}`,
    'listener.name.ssl.ssl.client.auth=required',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.sasl_ssl.plain.sasl.jaas.config=${module}.plain.PlainLoginModule required user_${user.name}="${user.password}";`,
    `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${module}.scram.ScramLoginModule required;`,
    `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${module}.scram.ScramLoginModule required;`,
  ]
}

function scramUsers({ user: { name, password } }: KafkaSecurity): string[] {
  const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
  return mechanisms.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`])
}

const classPath = ['-cp', `${jars}/*`]

function java(args: string[]) {
  return spawnSync('java', [...classPath, ...args], { encoding: 'utf8' })
}

function launch(properties: string, log: string): ChildProcess {
  const output = openSync(log, 'a')
  const memory = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
  const options = { stdio: ['ignore', output, output], detached: true } satisfies SpawnOptions
  const broker = spawn('java', [...memory, ...classPath, 'kafka.Kafka', properties], options)
  closeSync(output)
  return broker
}
