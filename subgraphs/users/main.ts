import { randomBytes, randomUUID } from 'node:crypto'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { createAudit } from '#platform/audit.ts'
import { createBackground } from '#platform/background.ts'
import { breakerRules } from '#platform/breaker.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
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
import { createQuotas } from '#platform/quota.ts'
import { openServiceRedis } from '#platform/redis.ts'
import { serve } from '#platform/serve.ts'
import { rules, settings } from './config.ts'
import { isCommonPassword } from './credentials/common-passwords.ts'
import { createPasswords } from './credentials/passwords.ts'
import { createFirstKey, createKeyRing, createKeySeal } from './credentials/signing-keys.ts'
import { createTokens, hashRefreshToken } from './credentials/tokens.ts'
import { codeBytes, codesAllowed, codeWindow, writeCode } from './domain/code.ts'
import { changesAllowed, changeWindow } from './domain/password.ts'
import { createNotificationsClient, createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createUsersService } from './service.ts'
import { createUsersStore } from './store.ts'

const name = 'users'
/** Milliseconds between looks for new signing keys, and for what is kept no longer. */
const keyInterval = 2_000
const retentionInterval = 3_600_000
/** Seconds that a key set may be kept: long gone when a new key begins to sign. */
const longestKeySetAge = 300

await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
  const now = () => new Date()
  const newId = randomUUID
  const url = config.USERS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const discovery = openDiscovery({ name, config, log, lifecycle })
  const metrics = createMetrics({ service: name })
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/users/migrations', import.meta.url),
    config,
    log,
    lifecycle,
    metrics,
  })
  const store = createUsersStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle, metrics })

  const audit = createAudit({ service: name, file: config.AUDIT_LOG })
  const { seal, open } = createKeySeal(config.SIGNING_KEYS_SECRET)
  const lifetime = config.ACCESS_TOKEN_LIFETIME
  const onAdded = (kid: string) => audit({ action: 'signing_key.added', actor: null, target: kid, address: null })
  await store.addSigningKey(createFirstKey({ seal, now, onAdded }))
  const keys = createKeyRing({ load: store.signingKeys, remove: store.removeSigningKeys, open, lifetime, now })
  await keys.refresh()
  const keyRefresh = createLoop({ name: 'signing keys', work: keys.refresh, interval: keyInterval, log })
  lifecycle.onStop('signing keys', keyRefresh.stop)

  const breakerFor = createBreakers({ log, metrics })
  const meter = createRpcMeter(metrics, 'client')
  const notifications = createPeer({
    name: 'notifications',
    service: loadService<NotificationServiceDefinition>('notifications.v1.NotificationService'),
    addresses: discovery.grpc('notifications', config.NOTIFICATIONS_GRPC_URLS),
    policy: () => live.current.BALANCING,
    limit: config.GRPC_TIMEOUT,
    serviceToken: createServiceTokens({ key: config.SERVICE_PRIVATE_KEY }),
    meter,
    log,
    breaker: breakerFor('notifications', () => breakerRules(live.current)),
  })
  lifecycle.onStop('notifications', notifications.close)
  const redis = await openServiceRedis({ name, config, log, lifecycle })
  const quotas = await createQuotas({ redis, log, metrics })
  const seconds = config.WRONG_PASSWORD_WINDOW
  const background = createBackground({ name: 'one-time codes', log })
  lifecycle.onStop('background', background.stop)

  const service = createUsersService({
    store,
    passwords: createPasswords({ concurrency: config.PASSWORD_HASH_CONCURRENCY }),
    isCommonPassword,
    tokens: createTokens({ keys, issuer: config.TOKEN_ISSUER, audience: config.TOKEN_AUDIENCE, lifetime, now, newId }),
    hashRefreshToken,
    sendCode: createNotificationsClient(notifications.rpcs).sendCode,
    inBackground: background.add,
    newCode: () => writeCode(randomBytes(codeBytes)),
    codeLifetime: config.CODE_LIFETIME,
    attemptQuotas: {
      ofAccount: quotas.quota({ name: 'wrong-passwords', points: () => live.current.WRONG_PASSWORDS, seconds }),
      ofAddress: quotas.quota({
        name: 'wrong-passwords-of-address',
        points: () => live.current.WRONG_PASSWORDS_PER_ADDRESS,
        seconds,
      }),
    },
    codeQuota: quotas.quota({ name: 'verification-codes', points: () => codesAllowed, seconds: codeWindow }),
    passwordQuota: quotas.quota({ name: 'password-changes', points: () => changesAllowed, seconds: changeWindow }),
    audit,
    now,
    newId,
  })
  const retention = createLoop({
    name: 'session retention',
    work: () => store.forgetEnded(now()),
    interval: retentionInterval,
    log,
  })
  lifecycle.onStop('session retention', retention.stop)

  const keySetAge = Math.min(longestKeySetAge, Math.floor(config.SIGNING_KEY_DELAY / 3))
  await serve({
    name,
    config,
    dependencies: [
      { name: 'database', check: database.check, required: true },
      { name: 'events', check: events.check, required: false },
      { name: 'notifications', check: notifications.check, required: false },
      ...quotas.dependencies,
    ],
    schemaFile: new URL('../../schema/users.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    grpc: {
      port: config.GRPC_PORT,
      add: (server) =>
        server.add(loadService<UserServiceDefinition>('users.v1.UserService'), createRpcHandlers(service)),
    },
    routes: (app) =>
      app.get('/.well-known/jwks.json', (_request, reply) =>
        reply.header('cache-control', `public, max-age=${keySetAge}`).send(keys.jwks()),
      ),
    lifecycle,
    mask,
    metrics,
  })

  keyRefresh.start()
  retention.start()
  events.emit()
  await discovery.register({ port: config.PORT, grpcPort: config.GRPC_PORT })
})
