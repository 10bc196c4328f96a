import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { patient } from '../../test/infra/stack.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { services } from '../../tools/services.ts'
import type { Image } from './build-image.ts'
import { compose, own, secretsOf } from './compose-file.ts'

/** The user `node` of the official image. Only root may become somebody else. */
const user = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {}

/** A process as a container of an image would run it. */
export type Container = {
  readonly name: string
  readonly child: ChildProcess
  /** What it wrote. */
  readonly output: () => string
  /** The exit code; the signal's name when one ended it. */
  readonly ended: Promise<number | string>
  /** The exit code of the image's healthcheck. */
  healthy(): Promise<boolean>
}

/**
 * Runs images of `docker-compose.yml` on this machine: with the file's environment and secrets, in the image's own folder, as the
 * image's user. `at` tells where each `host:port` of the file is here; the processes add their own.
 */
export async function createRunner(workspace: string, build: (target: string) => Image, at: Map<string, string>) {
  const node = join(workspace, 'bin/node')
  mkdirSync(dirname(node), { recursive: true })
  copyFileSync(process.execPath, node)
  chmodSync(node, 0o755)

  const ports = await freePorts(Object.keys(services).length * 2 + 1)
  const next = () => ports.pop() ?? 0
  const portsOf: Record<string, { PORT: string; GRPC_PORT?: string }> = { gateway: listen('gateway', 4000) }
  for (const [name, { port, grpcPort }] of Object.entries(services)) portsOf[name] = listen(name, port, grpcPort)

  function listen(name: string, http: number, grpc?: number) {
    const here = [http, ...(grpc ? [grpc] : [])].map((port) => [port, next()] as const)
    for (const [port, own] of here) at.set(`${name}:${port}`, `127.0.0.1:${own}`)
    const [PORT, GRPC_PORT] = here.map(([, own]) => String(own))
    return { PORT: PORT ?? '', ...(GRPC_PORT && { GRPC_PORT }) }
  }

  /** Writes the secrets as the processes find them here, and returns their folder. */
  function mount(secrets: string): string {
    const folder = join(workspace, 'secrets')
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(secrets).filter((name) => name in compose.secrets))
      writeFileSync(join(folder, name), located(readFileSync(join(secrets, name), 'utf8')))
    return folder
  }

  function located(text: string): string {
    let here = text
    for (const [there, address] of at) here = here.replaceAll(new RegExp(`(?<![\\w-])${there}\\b`, 'g'), address)
    return here
  }

  /** The environment of a process of the file, on this machine. */
  function environment(name: string, secrets: string): Record<string, string> {
    const service = own.find((service) => service.name === name)?.service
    if (!service) throw new Error(`There is no process ${name}.`)
    const mounted = new Map(secretsOf(service).map(({ source, target }) => [target, join(secrets, source)]))
    const given = Object.entries(service.environment ?? {}).map(([variable, value]) => {
      return [variable, mounted.get(String(value)) ?? located(String(value))]
    })
    return { ...Object.fromEntries(given), ...portsOf[name], ...patient, HOST: '127.0.0.1' }
  }

  /** Without `env` the process has the image's environment alone. */
  function run(name: string, env: Record<string, string> = {}, command?: string[], input = ''): Container {
    const image = build(own.find((service) => service.name === name)?.target ?? name)
    const options = {
      cwd: image.folder,
      env: { PATH: `${dirname(node)}:/usr/bin:/bin`, ...image.env, ...env },
      ...user,
    }
    const [program = '', ...args] = command ?? image.command
    const child = spawn(program, args, { ...options, stdio: 'pipe' })
    child.stdin.end(input)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    return {
      name,
      child,
      output: () => output,
      ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? ''))),
      healthy: () =>
        new Promise((resolve) => {
          spawn('sh', ['-c', image.healthcheck ?? 'false'], options).once('close', (code) => resolve(code === 0))
        }),
    }
  }

  return { run, mount, environment, url: (name: string) => `http://127.0.0.1:${portsOf[name]?.PORT}` }
}

export const isRoot = process.getuid?.() === 0
