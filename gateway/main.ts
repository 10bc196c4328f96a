import { parse } from 'graphql'
import { createAudit } from '#platform/audit.ts'
import { breakerRules } from '#platform/breaker.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { run } from '#platform/lifecycle.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { createPrincipalSigner } from '#platform/principal.ts'
import { createQuotas } from '#platform/quota.ts'
import { openServiceRedis } from '#platform/redis.ts'
import { createAuthenticator } from './auth.ts'
import { createAuthorization } from './authorization.ts'
import { readConfig } from './config.ts'
import { compileCosts } from './cost.ts'
import { createErrorFormatter } from './errors.ts'
import { openGraph } from './graph.ts'
import { createWebhookForwarder } from './http/webhooks.ts'
import { createOperationMeters } from './meters.ts'
import { createOperations } from './operations.ts'
import { createPersisted, createSharedTexts, createTextStore, readRecorded } from './persisted.ts'
import { createPipeline } from './pipeline.ts'
import { policies } from './policies.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createGuards } from './resilience.ts'
import { createGateway } from './server.ts'
import { createShedder } from './shedding.ts'
import { loadSupergraph } from './supergraph.ts'

const name = 'gateway'
const sandboxOrigin = 'https://studio.apollographql.com'

await run(name, readConfig, async ({ config, log, lifecycle }) => {
  const development = config.NODE_ENV !== 'production'
  const inDevelopment = (choice: 'on' | 'off' | undefined) => (choice ? choice === 'on' : development)
  const urls: Record<string, readonly string[] | undefined> = {
    users: config.USERS_URLS,
    products: config.PRODUCTS_URLS,
    orders: config.ORDERS_URLS,
    payments: config.PAYMENTS_URLS,
    notifications: config.NOTIFICATIONS_URLS,
  }

  const discovery = openDiscovery({ name, config, log, lifecycle })
  const policy = () => config.BALANCING
  const audit = createAudit({ service: name, file: config.AUDIT_LOG })
  const mask = createMask({ service: name, log })
  const supergraphSdl = await loadSupergraph(config.SUPERGRAPH_FILE)
  const metrics = createMetrics({ service: name })
  const guards = createGuards({
    rules: () => breakerRules(config),
    limits: () => ({ concurrency: config.SUBGRAPH_CONCURRENCY, queue: config.SUBGRAPH_QUEUE }),
    metrics,
    log,
  })
  const graph = await openGraph({
    supergraphSdl,
    urlsOf: (subgraph, url) => discovery.graphql(subgraph, urls[subgraph] ?? [url]),
    policy,
    subgraphTimeout: config.SUBGRAPH_TIMEOUT,
    guards,
    metrics,
    log,
  })
  lifecycle.onStop('graph', graph.close)
  const payments = graph.forwarders.find(({ name }) => name === 'payments')
  const webhooks = payments && createWebhookForwarder({ ...payments, policy, timeout: config.REQUEST_TIMEOUT, log })
  lifecycle.onStop('webhooks', () => webhooks?.close())
  const authorize = createAuthorization({ policies, unauthorized: config.UNAUTHORIZED_FIELDS, audit })
  const limited = config.LIMITS === 'on'
  const redis = await openServiceRedis({ name, config, log, lifecycle })
  const quotas = await createQuotas({ redis, log, metrics })

  const recorded = await readRecorded(config.OPERATIONS_FOLDER)
  const answer = createPipeline({
    schema: graph.schema,
    persisted: createPersisted({
      mode: config.OPERATIONS,
      recorded,
      store: config.PERSISTED_QUERIES === 'on' ? createTextStore(redis && createSharedTexts(redis, quotas)) : undefined,
      log,
    }),
    operations: createOperations({
      schema: graph.schema,
      limits: limited ? config : undefined,
      introspection: inDevelopment(config.INTROSPECTION),
      mostErrors: config.MAX_VALIDATION_ERRORS,
      costOf: compileCosts(parse(supergraphSdl, { noLocation: true }), graph.schema, {
        defaultListSize: config.DEFAULT_LIST_SIZE,
      }),
    }),
    execute: authorize(supergraphSdl, graph.schema, graph.execute),
    degraded: guards.degraded,
    chargesCost: config.RATE_LIMITS === 'on',
    maxCost: limited ? config.MAX_COST : undefined,
    mostErrors: config.MAX_VALIDATION_ERRORS,
    formatError: createErrorFormatter({ log }),
    mask,
    onOperation: createOperationMeters(recorded, metrics),
  })
  const shed = metrics.counter('requests_shed_total', 'Requests that were refused because there was too much to do.')
  const shedder = createShedder({ limit: () => config.MAX_EVENT_LOOP_DELAY, onRefused: () => shed.inc() })
  lifecycle.onStop('shedder', shedder.start())
  const http = await createGateway({
    answer,
    authenticate: createAuthenticator({
      jwksUrl: config.JWKS_URL,
      issuer: config.TOKEN_ISSUER,
      audience: config.TOKEN_AUDIENCE,
      keySetAge: config.JWKS_MAX_AGE,
      onRefused: (address, reason) => audit({ action: 'token.refused', actor: null, address, detail: { reason } }),
    }),
    signPrincipal: config.SERVICE_PRIVATE_KEY && createPrincipalSigner({ key: config.SERVICE_PRIVATE_KEY }),
    forwarders: graph.forwarders,
    webhooks,
    shed: shedder.admit,
    rateLimiter: createRateLimiter({ quotas, config }),
    dependencies: quotas.dependencies,
    metrics,
    explorer: inDevelopment(config.EXPLORER),
    origins: config.CORS_ORIGINS ?? (development ? [sandboxOrigin] : []),
    compression: config.COMPRESSION === 'on',
    forwardHeaders: config.FORWARD_HEADERS,
    clientTraces: config.CLIENT_TRACES,
    batchLimit: config.BATCH_LIMIT,
    hstsMaxAge: config.HSTS_MAX_AGE ?? (development ? 0 : 31_536_000),
    requestTimeout: config.REQUEST_TIMEOUT,
    bodyLimit: config.BODY_LIMIT,
    trustedProxies: config.TRUSTED_PROXIES,
    maxConnections: config.MAX_CONNECTIONS,
    lifecycle,
    mask,
  })
  await http.listen({ host: config.HOST, port: config.PORT })
  lifecycle.onStop('http', () => http.close())
  await discovery.register({ port: config.PORT })
})
