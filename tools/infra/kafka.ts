import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../services.ts'
import { freePorts } from './ports.ts'

/** Where `mvn -f deploy/kafka/pom.xml dependency:copy-dependencies` puts the jars. */
const jars = join(root, 'deploy/kafka/target/dependency')
/** Milliseconds that a broker has to start. */
const startLimit = 60_000

/** A Kafka broker of our own, in a temporary folder that goes with it. It ends with this process at the latest. */
export type Kafka = {
  readonly brokers: string
  /** Ends the broker as a crash would. */
  kill(): Promise<void>
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

export async function startKafka(): Promise<Kafka> {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-kafka-'))
  let broker: ChildProcess | undefined
  function stop(): void {
    process.off('exit', stop)
    broker?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.on('exit', stop)

  const [port = 0, controllerPort = 0] = await freePorts(2)
  const properties = join(folder, 'server.properties')
  writeFileSync(properties, serverProperties({ folder, port, controllerPort }))
  const id = randomBytes(16).toString('base64url')
  const formatted = java(['kafka.tools.StorageTool', 'format', `--cluster-id=${id}`, '-c', properties])
  if (formatted.status !== 0) throw new Error(`Formatting Kafka's storage failed: ${formatted.stderr}`)

  async function start(): Promise<void> {
    broker = launch(properties)
    await accepting(broker, port)
  }
  await start()
  return {
    brokers: `127.0.0.1:${port}`,
    async kill() {
      const exited = new Promise((resolve) => broker?.once('exit', resolve))
      if (broker?.kill('SIGKILL')) await exited
    },
    restart: start,
    stop,
  }
}

function serverProperties({
  folder,
  port,
  controllerPort,
}: {
  folder: string
  port: number
  controllerPort: number
}): string {
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
    '',
  ].join('\n')
}

const classPath = ['-cp', `${jars}/*`]

function java(args: string[]) {
  return spawnSync('java', [...classPath, ...args], { encoding: 'utf8' })
}

function launch(properties: string): ChildProcess {
  const memory = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
  return spawn('java', [...memory, ...classPath, 'kafka.Kafka', properties], { stdio: 'ignore', detached: true })
}

async function accepting(broker: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + startLimit
  while (!(await accepts(port))) {
    if (broker.exitCode !== null || Date.now() > deadline) throw new Error('The Kafka broker did not start.')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
