import { listenFault } from './infra/ports.ts'
import { serviceNames, services } from './services.ts'
import type { Ports } from './stack.ts'

/** The ports of the development shop, of which two can be chosen. Throws when a choice cannot be. */
export function developmentPorts(chosen: { PORT: string | undefined; POSTGRES_PORT: string | undefined }) {
  const fixed = serviceNames.map((name) => [name, portsOf(name)] as const)
  const taken = new Map(portsNeeded(Object.fromEntries(fixed) as Ports).map(({ name, port }) => [port, name]))

  function choose(variable: keyof typeof chosen, name: string, usual: number): number {
    const text = chosen[variable] || String(usual)
    const port = Number(text)
    if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
      throw new Error(
        `${variable} is "${text}", and a port is a number from 1 to 65535. Set it to one, or leave it out for ${usual}.`,
      )
    }
    if (taken.has(port)) {
      throw new Error(`${variable} is ${port}, which is the port of ${taken.get(port)}. Set it to another.`)
    }
    taken.set(port, name)
    return port
  }

  const gateway = { http: choose('PORT', 'the gateway', 4000) }
  const postgres = choose('POSTGRES_PORT', 'PostgreSQL', 5433)
  return { processes: { ...Object.fromEntries(fixed), gateway } as Ports, postgres }
}

/** Throws unless every port of the shop can be listened on. */
export async function requireFreePorts(ports: Ports, host: string): Promise<void> {
  const fault = await listenFault(0, host)
  if (fault) {
    throw new Error(
      `HOST is "${host}", where this machine cannot listen (${fault}). Set it to an address of this machine, or leave it out for 127.0.0.1.`,
    )
  }
  const faults: string[] = []
  for (const { name, port } of portsNeeded(ports)) {
    const fault = await listenFault(port, host)
    if (fault) faults.push(`${port} for ${name}${fault === 'EADDRINUSE' ? '' : ` (${fault})`}`)
  }
  if (faults.length === 0) return
  throw new Error(
    `Ports that the shop needs are not free: ${faults.join(', ')}. ` +
      'Stop what listens there, perhaps a shop over another folder. PORT moves the gateway; the other ports are fixed.',
  )
}

function portsOf(name: (typeof serviceNames)[number]): Ports[typeof name] {
  const { port: http, grpcPort: grpc } = services[name]
  return { http, grpc }
}

function portsNeeded(ports: Ports): { name: string; port: number }[] {
  return Object.entries(ports).flatMap(([name, { http, grpc }]) => [
    { name, port: http },
    ...(grpc ? [{ name: `${name} (gRPC)`, port: grpc }] : []),
  ])
}
