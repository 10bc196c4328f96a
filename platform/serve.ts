import type { FastifyInstance } from 'fastify'
import type { Parsed, processSettings } from './env.ts'
import { createGrpcServer, type GrpcServer } from './grpc/server.ts'
import { createHealth, type Dependency } from './health.ts'
import type { Lifecycle } from './lifecycle.ts'
import { listen } from './listen.ts'
import type { Mask } from './mask.ts'
import type { Metrics } from './metrics.ts'
import { createPrincipalVerifier, createServiceTokenVerifier, type PublicKeys } from './principal.ts'
import { createSubgraph, type SubgraphOptions } from './subgraph.ts'

export type ServeOptions<Context extends object> = Pick<
  SubgraphOptions<Context>,
  'schemaFile' | 'resolvers' | 'createContext'
> & {
  name: string
  config: Pick<Parsed<typeof processSettings>, 'HOST' | 'NODE_ENV' | 'SHUTDOWN_DELAY'> & {
    PORT: number
    SERVICE_JWKS: PublicKeys
  }
  /** What the service needs to work, and what it can do without for a while. */
  dependencies: readonly Dependency[]
  /** What it does for peers, and where. */
  grpc?: { port: number; add: (server: GrpcServer) => void }
  /** What it answers over HTTP besides GraphQL and health. */
  routes?: (app: FastifyInstance) => void
  lifecycle: Lifecycle
  mask: Mask
  metrics: Metrics
}

/** Serves a subgraph to the gateway, to peers and to operators, until the process stops. */
export async function serve<Context extends object>(options: ServeOptions<Context>): Promise<void> {
  const { name, config, dependencies, grpc, routes, lifecycle, mask, metrics, ...graph } = options
  const health = createHealth(dependencies)
  await health.start()
  lifecycle.onStop('health', health.stop)

  const verifyPrincipal = createPrincipalVerifier({ keys: config.SERVICE_JWKS })
  let stopServing = () => {}
  if (grpc) {
    const verifyCaller = createServiceTokenVerifier({ keys: config.SERVICE_JWKS, audience: name })
    const server = createGrpcServer({ verifyCaller, verifyPrincipal, mask, metrics })
    grpc.add(server)
    if (config.NODE_ENV !== 'production') server.reflect(name)
    await server.listen(config.HOST, grpc.port)
    lifecycle.onStop('grpc', server.close)
    health.watch(({ status }) => server.setServing(lifecycle.ready && status !== 'DOWN'))
    stopServing = () => server.setServing(false)
  }

  const app = await createSubgraph({ ...graph, verifyPrincipal, lifecycle, health, mask, metrics })
  routes?.(app)
  await listen(app, { host: config.HOST, port: config.PORT, shutdownDelay: config.SHUTDOWN_DELAY, lifecycle })
  lifecycle.onStop('grpc health', stopServing)
}
