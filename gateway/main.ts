import { parse } from 'graphql'
import { createAudit } from '#platform/audit.ts'
import type { Addresses } from '#platform/balancer.ts'
import { breakerRules } from '#platform/breaker.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { run } from '#platform/lifecycle.ts'
import { listen } from '#platform/listen.ts'
import { followLive } from '#platform/live/follow.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { createPrincipalSigner } from '#platform/principal.ts'
import { createQuotas } from '#platform/quota.ts'
import { openServiceRedis } from '#platform/redis.ts'
import { optimizeSooner } from '#platform/tiering.ts'
import { followPrimary, startWorkers, workerNumber } from '#platform/workers.ts'
import { createAuthenticator } from './auth.ts'
import { createAuthorization } from './authorization.ts'
import { tellingCached } from './cache/extension.ts'
import { openResponseCache } from './cache/open.ts'
import { rules, settings } from './config.ts'
import { compileCosts } from './cost.ts'
import { createErrorFormatter } from './errors.ts'
import type { Executor } from './executor.ts'
import { createChanges } from './forward/sharing.ts'
import type { Forwarder } from './forward.ts'
import { openGraph } from './graph.ts'
import { createWebhookForwarder } from './http/webhooks.ts'
import { createOperationMeters, measureCaches } from './meters.ts'
import { createOperations, type Held } from './operations.ts'
import { measureAnswers } from './outcomes.ts'
import {
  createPersisted,
  createSharedTexts,
  createTextStore,
  type RecordedOperations,
  readRecorded,
} from './persisted.ts'
import { createPipeline } from './pipeline.ts'
import { policies } from './policies.ts'
import { createRateLimiter } from './rate-limit.ts'
import { rehearse, type Stage } from './rehearsal.ts'
import { createGuards } from './resilience.ts'
import { createRollout } from './rollout.ts'
import { createGateway } from './server.ts'
import { createShedder } from './shedding.ts'
import { tellingStale } from './stale/extension.ts'
import { createStaleAnswers } from './stale.ts'
import type { Supergraph } from './supergraph.ts'

const name = 'gateway'
/** What answers requests by one supergraph schema. */
type Serving = {
  answer: ReturnType<typeof createPipeline>
  stage: Stage
  recorded: RecordedOperations
  forwarders: readonly Forwarder[]
  heldPlans: () => Held
  close: () => Promise<void>
}

const sandboxOrigin = 'https://studio.apollographql.com'

optimizeSooner()
await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
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
  const policy = () => live.current.BALANCING
  const audit = createAudit({ service: name, file: config.AUDIT_LOG })
  const mask = createMask({ service: name, log })
  const { GATEWAY_PROCESSES: processes } = config
  const worker = processes > 1 ? (workerNumber() ?? 'primary') : undefined
  const ownMetrics = createMetrics({ service: name, worker })
  if (worker === 'primary') {
    await startWorkers({ count: processes, log, lifecycle, metrics: ownMetrics })
    return discovery.register({ port: config.PORT })
  }
  const metrics = followPrimary(lifecycle, ownMetrics)
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })
  const guards = createGuards({
    rules: () => breakerRules(live.current),
    limits: () => ({ concurrency: live.current.SUBGRAPH_CONCURRENCY, queue: live.current.SUBGRAPH_QUEUE }),
    metrics,
    log,
  })
  const changes = createChanges()
  const fetches = metrics.histogram('subgraph_fetch_duration_seconds', 'Fetches from subgraphs.', ['subgraph'])
  const failures = metrics.counter('subgraph_fetch_errors_total', 'Fetches without an answer, refused ones too.', [
    'subgraph',
    'code',
  ])
  const operationMeter = createOperationMeters(metrics)
  const { STALE_CACHE_BYTES: bytes, STALE_MAX_AGE: staleAge } = config
  const stale = bytes > 0 ? createStaleAnswers({ bytes, maxAge: () => staleAge, metrics }) : undefined
  const cache = await openResponseCache({ config, onChange: changes.onEnd, metrics, log, lifecycle })
  const authorize = createAuthorization({ policies, unauthorized: config.UNAUTHORIZED_FIELDS, audit })
  const answering = cache ? tellingCached : (execute: Executor) => execute
  const limits = () => (live.current.LIMITS === 'on' ? live.current : undefined)
  const mostErrors = () => live.current.MAX_VALIDATION_ERRORS
  const redis = await openServiceRedis({ name, config, log, lifecycle })
  const quotas = await createQuotas({ redis, log, metrics })
  const texts =
    config.PERSISTED_QUERIES === 'on' ? createTextStore(redis && createSharedTexts(redis, quotas)) : undefined
  const formatError = createErrorFormatter({ log })
  const addresses = new Map<string, Addresses>()
  /** Followed once, however often a supergraph schema is loaded that names them. */
  function urlsOf(subgraph: string, url: string): Addresses {
    const known = addresses.get(`${subgraph} ${url}`) ?? discovery.graphql(subgraph, urls[subgraph] ?? [url])
    addresses.set(`${subgraph} ${url}`, known)
    return known
  }

  /** All that depends on one supergraph schema. */
  async function serve({ sdl }: Supergraph): Promise<Serving> {
    const recorded = await readRecorded(config.OPERATIONS_FOLDER)
    const supergraph = parse(sdl, { noLocation: true })
    const graph = await openGraph({
      supergraphSdl: sdl,
      urlsOf,
      policy,
      http2: config.SUBGRAPH_HTTP2 === 'on',
      subgraphTimeout: config.SUBGRAPH_TIMEOUT,
      guards,
      sharing: { isOn: () => live.current.SUBGRAPH_SHARING === 'on', changes },
      stale: stale?.by(supergraph),
      cache: cache?.by(supergraph),
      onFetch: (subgraph, seconds) => fetches.observe({ subgraph }, seconds),
      onFailure: (subgraph, code) => failures.inc({ subgraph, code }),
      log,
    })
    const { schema, plan, forwarders, heldPlans, close } = graph
    const served = new Set(forwarders.map(({ name }) => name))
    const operations = createOperations({
      schema,
      limits,
      introspection: inDevelopment(config.INTROSPECTION),
      mostErrors,
      costOf: compileCosts(supergraph, schema, { defaultListSize: config.DEFAULT_LIST_SIZE }),
    })
    const answer = createPipeline({
      persisted: createPersisted({ mode: config.OPERATIONS, recorded, store: texts, log }),
      operations,
      execute: answering(tellingStale(authorize(sdl, schema, graph.execute))),
      // A subgraph that went with an earlier supergraph schema may have left an open breaker.
      degraded: () => guards.degraded(served),
      chargesCost: () => live.current.RATE_LIMITS === 'on',
      maxCost: () => limits()?.MAX_COST,
      mostErrors,
      formatError,
      mask,
      onOperation: operationMeter(recorded),
    })
    return { answer, stage: { operations, plan }, recorded, forwarders, heldPlans, close }
  }

  const rollout = await createRollout({
    file: config.SUPERGRAPH_FILE,
    interval: config.SUPERGRAPH_WATCH === 'on' ? config.SUPERGRAPH_INTERVAL : undefined,
    open: serve,
    rehearse: (next, previous) => rehearse(next.recorded, next.stage, previous.stage),
    metrics,
    log,
  })
  lifecycle.onStop('graph', rollout.stop)
  measureCaches(metrics, () => {
    const { stage, heldPlans } = rollout.current
    return { documents: stage.operations.held(), plans: heldPlans() }
  })
  const payments = rollout.current.forwarders.find(({ name }) => name === 'payments')
  const webhooks = payments && createWebhookForwarder({ ...payments, policy, timeout: config.REQUEST_TIMEOUT, log })
  lifecycle.onStop('webhooks', () => webhooks?.close())

  const shed = metrics.counter('requests_shed_total', 'Requests that were refused because there was too much to do.')
  const shedder = createShedder({ limit: () => live.current.MAX_EVENT_LOOP_DELAY, onRefused: () => shed.inc() })
  lifecycle.onStop('shedder', shedder.start())
  const http = await createGateway({
    answer: measureAnswers((request, call) => rollout.use(({ answer }) => answer(request, call)), metrics),
    authenticate: createAuthenticator({
      jwksUrl: config.JWKS_URL,
      issuer: config.TOKEN_ISSUER,
      audience: config.TOKEN_AUDIENCE,
      keySetAge: config.JWKS_MAX_AGE,
      onRefused: (address, reason) => audit({ action: 'token.refused', actor: null, address, detail: { reason } }),
    }),
    signPrincipal: config.SERVICE_PRIVATE_KEY && createPrincipalSigner({ key: config.SERVICE_PRIVATE_KEY }),
    forwarders: () => rollout.current.forwarders,
    schema: rollout.report,
    webhooks,
    shed: shedder.admit,
    rateLimiter: createRateLimiter({ quotas, config: () => live.current }),
    dependencies: [...quotas.dependencies, { name: 'supergraph', check: rollout.check, required: false }],
    metrics,
    explorer: inDevelopment(config.EXPLORER),
    origins: config.CORS_ORIGINS ?? (development ? [sandboxOrigin] : []),
    compression: config.COMPRESSION === 'on',
    forwardHeaders: config.FORWARD_HEADERS,
    clientTraces: config.CLIENT_TRACES,
    batchLimit: () => live.current.BATCH_LIMIT,
    hstsMaxAge: config.HSTS_MAX_AGE ?? (development ? 0 : 31_536_000),
    requestTimeout: config.REQUEST_TIMEOUT,
    bodyLimit: config.BODY_LIMIT,
    trustedProxies: config.TRUSTED_PROXIES,
    maxConnections: config.MAX_CONNECTIONS,
    lifecycle,
    mask,
  })
  await listen(http, { host: config.HOST, port: config.PORT, shutdownDelay: config.SHUTDOWN_DELAY, lifecycle })
  await (worker === undefined ? discovery.register({ port: config.PORT }) : discovery.known())
})
