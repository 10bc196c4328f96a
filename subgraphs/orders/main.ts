import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import type { ProductServiceDefinition } from '#generated/grpc/products/v1/ProductService.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { breakerRules } from '#platform/breaker.ts'
import { timeLeft } from '#platform/context.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { openEvents } from '#platform/events.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { createRpcMeter } from '#platform/grpc/meters.ts'
import { loadService } from '#platform/grpc/service.ts'
import { createBreakers } from '#platform/guard.ts'
import { run } from '#platform/lifecycle.ts'
import { followLive } from '#platform/live/follow.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { createServiceTokens } from '#platform/principal.ts'
import { serve } from '#platform/serve.ts'
import { rules, settings } from './config.ts'
import { orderNumber } from './domain/order.ts'
import { createEventHandlers } from './events.ts'
import { createProductsClient, createRpcHandlers, createUsersClient } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createOrdersService } from './service.ts'
import { createOrdersStore } from './store.ts'

const name = 'orders'
/** Milliseconds that a request may take when its caller names no deadline. */
const requestLimit = 5_000

await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
  const url = config.ORDERS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const discovery = openDiscovery({ name, config, log, lifecycle })
  const metrics = createMetrics({ service: name })
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/orders/migrations', import.meta.url),
    config,
    log,
    lifecycle,
    metrics,
  })
  const store = createOrdersStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle, metrics })

  const serviceToken = createServiceTokens({ key: config.SERVICE_PRIVATE_KEY })
  const breakerFor = createBreakers({ log, metrics })
  const meter = createRpcMeter(metrics, 'client')
  const users = createPeer({
    name: 'users',
    service: loadService<UserServiceDefinition>('users.v1.UserService'),
    addresses: discovery.grpc('users', config.USERS_GRPC_URLS),
    policy: () => live.current.BALANCING,
    limit: config.GRPC_TIMEOUT,
    serviceToken,
    meter,
    log,
    breaker: breakerFor('users', () => breakerRules(live.current)),
  })
  lifecycle.onStop('users', users.close)
  const products = createPeer({
    name: 'products',
    service: loadService<ProductServiceDefinition>('products.v1.ProductService'),
    addresses: discovery.grpc('products', config.PRODUCTS_GRPC_URLS),
    policy: () => live.current.BALANCING,
    limit: config.GRPC_TIMEOUT,
    serviceToken,
    meter,
    log,
    breaker: breakerFor('products', () => breakerRules(live.current, live.current.PRODUCTS_BREAKER_FAILURES)),
  })
  lifecycle.onStop('products', products.close)

  const service = createOrdersService({
    store,
    users: createUsersClient(users.rpcs),
    products: createProductsClient(products.rpcs),
    now: () => new Date(),
    newId: randomUUID,
    newNumber: () => orderNumber(randomBytes(8)),
    leaseTime: config.ORDER_CLAIM_LEASE * 1000,
    mostUnpaid: () => live.current.MAX_UNPAID_ORDERS,
    timeLeft: () => timeLeft(requestLimit),
    sleep,
    onUnreleased: (orderId, error) => log.warn('stock stays held until its hold ends', { orderId, error }),
  })

  await serve({
    name,
    config,
    dependencies: [
      { name: 'database', check: database.check, required: true },
      { name: 'events', check: events.check, required: false },
      { name: 'users', check: users.check, required: false },
      { name: 'products', check: products.check, required: false },
    ],
    schemaFile: new URL('../../schema/orders.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    grpc: {
      port: config.GRPC_PORT,
      add: (server) =>
        server.add(loadService<OrderServiceDefinition>('orders.v1.OrderService'), createRpcHandlers(service)),
    },
    lifecycle,
    mask,
    metrics,
  })

  events.emit()
  events.consume(createEventHandlers(service))
  await discovery.register({ port: config.PORT, grpcPort: config.GRPC_PORT })
})
