import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { hasEnded } from './listening.ts'
import { freePorts } from './ports.ts'

/** Milliseconds that an agent has to start. */
const startLimit = 60_000

/** A Consul of our own, in its memory. It ends with this process at the latest. */
export type ConsulAgent = {
  /** `host:port` of its HTTP API. */
  readonly address: string
  /** Ends the agent as a crash would. */
  kill(): Promise<void>
  /** Starts the agent again, at the same place. It has forgotten everything. */
  restart(): Promise<void>
  stop(): void
}

/** The version of the agent that can be started here. Undefined where there is none. */
export function consulVersion(): string | undefined {
  const { stdout } = spawnSync('consul', ['version'], { encoding: 'utf8' })
  return /v([\d.]+)/.exec(stdout ?? '')?.[1]
}

/** `configFile`: what makes the agent a server of its own, in place of the development mode. */
export async function startConsul(configFile?: string): Promise<ConsulAgent> {
  const [http = 0, serf = 0, wan = 0, rpc = 0] = await freePorts(4)
  const address = `127.0.0.1:${http}`
  let agent: ChildProcess | undefined
  function stop(): void {
    process.off('exit', stop)
    agent?.kill('SIGKILL')
  }
  process.on('exit', stop)

  async function start(): Promise<void> {
    const ports = { http, 'serf-lan': serf, 'serf-wan': wan, server: rpc, dns: -1, grpc: -1 }
    const args = Object.entries(ports).map(([name, port]) => `-${name}-port=${port}`)
    const mode = configFile ? `-config-file=${configFile}` : '-dev'
    const fixed = ['agent', mode, '-bind=127.0.0.1', '-client=127.0.0.1']
    agent = spawn('consul', [...fixed, ...args], { stdio: 'ignore', detached: true })
    await leading(agent, address)
  }
  await start()
  return {
    address,
    async kill() {
      if (!agent || agent.exitCode !== null) return
      const exited = once(agent, 'exit')
      if (agent.kill('SIGKILL')) await exited
    },
    restart: start,
    stop,
  }
}

async function leading(agent: ChildProcess, address: string): Promise<void> {
  const deadline = Date.now() + startLimit
  for (;;) {
    const leader = await fetch(`http://${address}/v1/status/leader`).then(
      (answer) => answer.text(),
      () => '',
    )
    if (leader.length > 2) return
    if (hasEnded(agent) || Date.now() > deadline) throw new Error('The Consul agent did not start.')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
