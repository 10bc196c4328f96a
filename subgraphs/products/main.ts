import { randomUUID } from 'node:crypto'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import { createCaches } from '#platform/cache.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { openEvents } from '#platform/events.ts'
import { createGatherer } from '#platform/gatherer.ts'
import { loadService } from '#platform/grpc/service.ts'
import { run } from '#platform/lifecycle.ts'
import { followLive } from '#platform/live/follow.ts'
import { createLocks } from '#platform/lock.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { openServiceRedis } from '#platform/redis.ts'
import { serve } from '#platform/serve.ts'
import { rules, settings } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createReading } from './service/reading.ts'
import { createProductsService } from './service.ts'
import { createProductsStore } from './store.ts'

const name = 'products'

await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
  const url = config.PRODUCTS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const discovery = openDiscovery({ name, config, log, lifecycle })
  const metrics = createMetrics({ service: name })
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/products/migrations', import.meta.url),
    config,
    log,
    lifecycle,
    metrics,
  })
  const store = createProductsStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle, metrics })

  const redis = await openServiceRedis({ name, config, log, lifecycle })
  const caches = await createCaches({ redis, log, metrics })
  const gather = createGatherer({ name, wait: config.DATABASE_POOL_WAIT, queue: config.DATABASE_POOL_QUEUE })
  const reading = createReading({ store, caches, gather, seconds: () => live.current.PRODUCT_CACHE })
  const locks = await createLocks({ redis, nextToken: store.nextStockFence, log })

  const service = createProductsService({
    store,
    reading,
    locks,
    lowStock: config.LOW_STOCK,
    holdTime: config.RESERVATION_HOLD * 1000,
    canTell: events.canTell,
    now: () => new Date(),
    newId: randomUUID,
  })
  const sweeper = createLoop({
    name: 'reservation sweeper',
    work: service.sweep,
    interval: config.RESERVATION_SWEEP_INTERVAL * 1000,
    log,
  })
  lifecycle.onStop('sweeper', sweeper.stop)

  await serve({
    name,
    config,
    dependencies: [
      { name: 'database', check: database.check, required: true },
      { name: 'events', check: events.check, required: false },
      ...caches.dependencies,
    ],
    schemaFile: new URL('../../schema/products.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, reading),
    grpc: {
      port: config.GRPC_PORT,
      add: (server) =>
        server.add(loadService<ProductServiceDefinition>('products.v1.ProductService'), createRpcHandlers(service)),
    },
    lifecycle,
    mask,
    metrics,
  })

  events.emit()
  events.consume(createEventHandlers(service))
  sweeper.start()
  await discovery.register({ port: config.PORT, grpcPort: config.GRPC_PORT })
})
