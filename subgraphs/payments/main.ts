import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OrderServiceDefinition } from '#generated/grpc/orders/v1/OrderService.ts'
import type { PaymentServiceDefinition } from '#generated/grpc/payments/v1/PaymentService.ts'
import { breakerRules } from '#platform/breaker.ts'
import { timeLeft } from '#platform/context.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openPool } from '#platform/database/pool.ts'
import { createStatementNames } from '#platform/database/prepared.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { openEvents } from '#platform/events.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { createRpcMeter } from '#platform/grpc/meters.ts'
import { loadService } from '#platform/grpc/service.ts'
import { createBreakers } from '#platform/guard.ts'
import { run } from '#platform/lifecycle.ts'
import { followLive } from '#platform/live/follow.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { createServiceTokens } from '#platform/principal.ts'
import { serve } from '#platform/serve.ts'
import { providerOf, rules, settings } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createOrdersClient, createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { serveCallbacks } from './providers/callback-route.ts'
import { createSandboxProvider } from './providers/sandbox.ts'
import { createResolvers } from './resolvers.ts'
import { createSandbox } from './sandbox/sandbox.ts'
import { createPaymentsService } from './service.ts'
import { createPaymentsStore } from './store.ts'

const name = 'payments'
/** Milliseconds that a request may take when its caller names no deadline. */
const requestLimit = 5_000
/** Milliseconds between looks for what the provider is to be asked about, and for what the sandbox has to do. */
const reconcileInterval = 1_000
const sandboxInterval = 500
/** Milliseconds between its turns under load, which each do what has come meanwhile. */
const sandboxSpacing = 20
/** Milliseconds between looks for callbacks that need not be remembered any more. */
const retentionInterval = 3_600_000

await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
  const url = config.PAYMENTS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const discovery = openDiscovery({ name, config, log, lifecycle })
  const metrics = createMetrics({ service: name })
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })
  const now = () => new Date()

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/payments/migrations', import.meta.url),
    config,
    log,
    lifecycle,
    metrics,
  })
  const store = createPaymentsStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle, metrics })

  const breakerFor = createBreakers({ log, metrics })
  const meter = createRpcMeter(metrics, 'client')
  const orders = createPeer({
    name: 'orders',
    service: loadService<OrderServiceDefinition>('orders.v1.OrderService'),
    addresses: discovery.grpc('orders', config.ORDERS_GRPC_URLS),
    policy: () => live.current.BALANCING,
    limit: config.GRPC_TIMEOUT,
    serviceToken: createServiceTokens({ key: config.SERVICE_PRIVATE_KEY }),
    meter,
    log,
    breaker: breakerFor('orders', () => breakerRules(live.current)),
  })
  lifecycle.onStop('orders', orders.close)

  const { provider, routes, start } = providerOf(config) === 'stripe' ? await openStripe() : openSandbox()
  lifecycle.onStop('provider', provider.close)

  const service = createPaymentsService({
    store,
    findOrder: createOrdersClient(orders.rpcs).findOrder,
    provider,
    now,
    newId: randomUUID,
    patience: config.PAYMENT_PATIENCE * 1000,
    mostDeclinedAnHour: () => live.current.MAX_DECLINED_PAYMENTS,
    timeLeft: () => timeLeft(requestLimit),
    sleep,
    onDue: () => reconciler.wake(),
    onUnanswered: (about, error) => log.warn('the provider did not tell what it did', { ...about, error }),
    onTrouble: (what, about) => log.error(what, about),
  })
  const reconciler = createLoop({ name: 'reconciliation', work: service.reconcile, interval: reconcileInterval, log })
  lifecycle.onStop('reconciliation', reconciler.stop)
  const retention = createLoop({
    name: 'callback retention',
    work: () => store.forgetCallbacks(now()),
    interval: retentionInterval,
    log,
  })
  lifecycle.onStop('callback retention', retention.stop)

  await serve({
    name,
    config,
    dependencies: [
      { name: 'database', check: database.check, required: true },
      { name: 'events', check: events.check, required: false },
      { name: 'orders', check: orders.check, required: false },
    ],
    schemaFile: new URL('../../schema/payments.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    grpc: {
      port: config.GRPC_PORT,
      add: (server) =>
        server.add(loadService<PaymentServiceDefinition>('payments.v1.PaymentService'), createRpcHandlers(service)),
    },
    routes: (app) => {
      serveCallbacks(app, service.receiveCallback)
      routes(app)
    },
    lifecycle,
    mask,
    metrics,
  })

  events.emit()
  events.consume(createEventHandlers(service))
  reconciler.start()
  retention.start()
  start()

  /** Loaded only where it is used. */
  async function openStripe() {
    const { createStripeProvider } = await import('./providers/stripe.ts')
    const provider = createStripeProvider({
      secretKey: config.STRIPE_SECRET_KEY ?? '',
      webhookSecret: config.STRIPE_WEBHOOK_SECRET ?? '',
      returnUrl: config.PAYMENT_RETURN_URL ?? '',
      ...(config.STRIPE_API_URL && { apiUrl: config.STRIPE_API_URL }),
      now,
    })
    return { provider, routes() {}, start() {} }
  }

  function openSandbox() {
    const party = { secret: config.SANDBOX_SECRET ?? '', url: config.SANDBOX_URL, now }
    const books = openPool({ url, name: 'sandbox', size: 3, wait: 2_000, log })
    const nameOf = createStatementNames()
    lifecycle.onStop('sandbox database', () => books.end())
    const sandbox = createSandbox({
      ...party,
      query: (text, values) => books.query({ name: nameOf({ sql: text }), text, values }),
      webhookUrl: config.SANDBOX_WEBHOOK_URL,
      onWork: () => loop.wake(),
      onUndelivered: (error) => log.info('a callback of the sandbox was not taken', { error }),
    })
    lifecycle.onStop('sandbox', sandbox.close)
    const loop = createLoop({
      name: 'sandbox',
      work: sandbox.turn,
      interval: sandboxInterval,
      spacing: sandboxSpacing,
      log,
    })
    lifecycle.onStop('sandbox loop', loop.stop)
    return { provider: createSandboxProvider(party), routes: sandbox.routes, start: loop.start }
  }
  await discovery.register({ port: config.PORT, grpcPort: config.GRPC_PORT })
})
