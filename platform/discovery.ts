import { networkInterfaces } from 'node:os'
import { z } from 'zod'
import type { Addresses } from './balancer.ts'
import { createConsul, hostOf, type ServiceInstance } from './consul.ts'
import type { Parsed, processSettings } from './env.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'

export const discoverySettings = {
  /** An agent of Consul, `host:port` or a URL. Without it peers are where the lists say. */
  CONSUL_HTTP_ADDR: z
    .string()
    .transform((text) => (/^https?:/.test(text) ? text : `http://${text}`))
    .pipe(z.url({ protocol: /^https?$/, error: 'must be host:port, or an http:// or https:// URL' }))
    .optional(),
  /** What Consul's access rules know this process by. */
  CONSUL_HTTP_TOKEN: z.string().optional(),
  /** Begins the names of all services, where a Consul is shared. */
  CONSUL_PREFIX: z.string().default(''),
  /** Where others reach this instance. Default: HOST, or the machine's address when that is all addresses. */
  ADVERTISED_HOST: z.string().optional(),
}

export type DiscoveryConfig = Parsed<typeof discoverySettings> & Pick<Parsed<typeof processSettings>, 'HOST'>

export type DiscoveryOptions = {
  /** This service. */
  name: string
  config: DiscoveryConfig
  log: Log
  lifecycle: Lifecycle
}

/**
 * Where the instances of other services are, and that of this one is made known: by Consul where the settings name one, else
 * the lists of the settings. The lists also stand until Consul has answered.
 */
export function openDiscovery({ name, config, log, lifecycle }: DiscoveryOptions) {
  const { CONSUL_HTTP_ADDR: url, CONSUL_HTTP_TOKEN: token, CONSUL_PREFIX: prefix } = config
  const consul = url === undefined ? undefined : createConsul({ url, ...(token && { token }), log })
  lifecycle.onStop('discovery', () => consul?.close())
  const firsts: Promise<void>[] = []

  function followed(
    service: string,
    known: readonly string[],
    addressOf: (instance: ServiceInstance) => string | undefined,
  ): Addresses {
    if (!consul) return known
    const followers = new Set<(addresses: readonly string[]) => void>()
    let current = known
    firsts.push(
      consul.follow(`${prefix}${service}`, (instances) => {
        current = instances.flatMap((instance) => addressOf(instance) ?? [])
        for (const follower of followers) follower(current)
      }),
    )
    return (follow) => {
      followers.add(follow)
      follow(current)
      return () => void followers.delete(follow)
    }
  }

  return {
    /** Absent where the settings name none. */
    consul,
    /** GraphQL URLs of the instances of a service. */
    graphql: (service: string, known: readonly string[]): Addresses =>
      followed(service, known, ({ address, port }) => `http://${hostOf(address)}:${port}/graphql`),
    /** `host:port` of the instances of a service, for gRPC. */
    grpc: (service: string, known: readonly string[]): Addresses =>
      followed(service, known, ({ address, grpcPort }) => (grpcPort ? `${hostOf(address)}:${grpcPort}` : undefined)),
    /** Resolves when the peers are known, which Consul may tell late. */
    async known(): Promise<void> {
      await Promise.all(firsts)
    },
    /**
     * Makes this instance known, when it knows its peers, until the process stops. Called last, so that it is the first thing
     * that a stop undoes. Takes 4 s at the most when Consul does not answer, and goes on trying.
     */
    async register(ports: { port: number; grpcPort?: number }): Promise<void> {
      if (!consul) return
      await Promise.all(firsts)
      const address = config.ADVERTISED_HOST ?? reachable(config.HOST)
      const deregister = await consul.register(`${prefix}${name}`, { address, ...ports })
      lifecycle.onStop('registration', deregister)
    },
  }
}

/** An address at which other machines reach what listens on `host`. */
function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const outward = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  return outward.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1'
}
