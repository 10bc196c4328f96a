import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openEvents } from '#platform/events.ts'
import { createGrpcServer } from '#platform/grpc/server.ts'
import { loadService } from '#platform/grpc/service.ts'
import { createHealth } from '#platform/health.ts'
import { run } from '#platform/lifecycle.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import { createPrincipalVerifier, createServiceTokenVerifier } from '#platform/principal.ts'
import { createSubgraph } from '#platform/subgraph.ts'
import { readConfig } from './config.ts'
import { createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createProductsService } from './service.ts'
import { createProductsStore } from './store.ts'

const name = 'products'

await run(name, readConfig, async ({ config, log, lifecycle }) => {
  const url = config.PRODUCTS_DATABASE_URL
  const mask = createMask({ service: name, log })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/products/migrations', import.meta.url),
    poolSize: config.DATABASE_POOL_SIZE,
    log,
    lifecycle,
  })
  const store = createProductsStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle })

  const service = createProductsService({ store, holdTime: config.RESERVATION_HOLD * 1000, now: () => new Date() })
  const sweeper = createLoop({
    name: 'reservation sweeper',
    work: service.sweep,
    interval: config.RESERVATION_SWEEP_INTERVAL * 1000,
    log,
  })
  lifecycle.onStop('sweeper', sweeper.stop)

  const health = createHealth([
    { name: 'database', check: database.check, required: true },
    { name: 'events', check: events.check, required: false },
  ])
  await health.start()
  lifecycle.onStop('health', health.stop)

  const verifyPrincipal = createPrincipalVerifier({ keys: config.SERVICE_JWKS })
  const grpc = createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys: config.SERVICE_JWKS, audience: name }),
    verifyPrincipal,
    mask,
  })
  grpc.add(
    loadService<ProductServiceDefinition>(
      new URL('../../contracts/products.proto', import.meta.url),
      'products.v1.ProductService',
    ),
    createRpcHandlers(service),
  )
  await grpc.listen(config.HOST, config.GRPC_PORT)
  lifecycle.onStop('grpc', grpc.close)

  const http = await createSubgraph({
    schemaFile: new URL('../../schema/products.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    verifyPrincipal,
    lifecycle,
    health,
    mask,
  })
  await http.listen({ host: config.HOST, port: config.PORT })
  lifecycle.onStop('http', () => http.close())

  events.emit()
  sweeper.start()
})
