import { join } from 'node:path'
import { freePorts } from '../../tools/infra/ports.ts'
import { supervise } from '../../tools/infra/supervise.ts'
import { root, type ServiceName } from '../../tools/services.ts'
import { type Ports, processNames, type StackOptions, settingsFor } from '../../tools/stack.ts'

/** Everybody who asks a service learns of all its instances. */
export function withTwins(
  extra: NonNullable<StackOptions['extra']>,
  twin: ServiceName,
  instances: readonly Ports[ServiceName][],
): NonNullable<StackOptions['extra']> {
  const service = twin.toUpperCase()
  const addresses = {
    [`${service}_URLS`]: instances.map(({ http }) => `http://127.0.0.1:${http}/graphql`).join(),
    [`${service}_GRPC_URLS`]: instances.map(({ grpc }) => `127.0.0.1:${grpc}`).join(),
  }
  const all = processNames.map((name) => [name, { ...extra[name], env: { ...addresses, ...extra[name]?.env } }])
  return Object.fromEntries(all)
}

/** Another instance of a service, at ports of its own. */
export function superviseTwin(name: ServiceName, options: StackOptions) {
  return supervise({
    name: `${name} (another)`,
    entry: join(root, `subgraphs/${name}/main.ts`),
    env: { PATH: process.env.PATH ?? '', ...settingsFor(name, options), ...options.extra?.[name]?.env },
    nodeOptions: ['--disable-warning=TimeoutNegativeWarning'],
    onLine: (line) => options.onLine(name, line),
    onCrash: (how, pause) => options.onCrash(name, how, pause),
  })
}

/** Ports for all processes, so many times. */
export async function portsOf(times: number): Promise<[Ports, ...Ports[]]> {
  const ports = await freePorts(processNames.length * 2 * times)
  const next = () => ({ http: ports.pop() ?? 0, grpc: ports.pop() ?? 0 })
  const each = () => Object.fromEntries(processNames.map((name) => [name, next()])) as Ports
  return [each(), ...Array.from({ length: times - 1 }, each)]
}
