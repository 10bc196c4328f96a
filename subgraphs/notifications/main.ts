import { randomUUID } from 'node:crypto'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openDiscovery } from '#platform/discovery.ts'
import { openEvents } from '#platform/events.ts'
import { loadService } from '#platform/grpc/service.ts'
import { run } from '#platform/lifecycle.ts'
import { followLive } from '#platform/live/follow.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { serve } from '#platform/serve.ts'
import { createChannels, createMail } from './channels/channels.ts'
import { traces } from './channels/traces.ts'
import { rules, settings } from './config.ts'
import { channelNames } from './domain/channel.ts'
import { pushTargetFault } from './domain/push-endpoint.ts'
import { createEventHandlers } from './events.ts'
import { createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createNotificationsService } from './service.ts'
import { createNotificationsStore } from './store.ts'
import * as templates from './templates/templates.ts'

const name = 'notifications'
/** Milliseconds between looks for deliveries whose pause is over. */
const deliveryInterval = 1_000
/** Milliseconds between two looks under load, which each take what has come meanwhile. */
const deliverySpacing = 100

await run(name, { settings, rules }, async ({ config, live, log, lifecycle }) => {
  const now = () => new Date()
  const url = config.NOTIFICATIONS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const discovery = openDiscovery({ name, config, log, lifecycle })
  const metrics = createMetrics({ service: name })
  await followLive({ name, live, consul: discovery.consul, prefix: config.CONSUL_PREFIX, log, metrics })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/notifications/migrations', import.meta.url),
    config,
    log,
    lifecycle,
    metrics,
  })
  const store = createNotificationsStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const channels = createChannels(config, { now, pushTargetFault })
  const codeMail = createMail(config)
  lifecycle.onStop('channels', async () => {
    await Promise.all([...Object.values(channels), codeMail].map((channel) => channel?.close()))
  })
  const outcomes = metrics.counter('notifications_total', 'What became of notifications and their deliveries.', [
    'channel',
    'status',
  ])
  // A rise from nothing is none for Prometheus.
  for (const channel of Object.keys(channels))
    for (const status of ['sent', 'retried', 'failed']) outcomes.inc({ channel, status }, 0)

  const service = createNotificationsService({
    store,
    channels,
    codeMail,
    templates,
    pushPublicKey: config.VAPID_PUBLIC_KEY,
    allowsLocalPush: config.PUSH_ALLOW_PRIVATE,
    traces,
    now,
    newId: randomUUID,
    onOutcome: (channel, status) => outcomes.inc({ channel, status }),
    onFailedAttempt: (delivery, reason) =>
      log.warn('delivery failed', {
        delivery: delivery.id,
        channel: delivery.channel,
        attempt: delivery.attempt,
        reason,
      }),
    onUnsentCode: ({ userId, purpose }, reason) => log.warn('code not sent', { userId, purpose, reason }),
    onDue(channels) {
      for (const channel of channels) workers.get(channel)?.wake()
    },
  })
  const workers = new Map(
    channelNames
      .filter((channel) => channels[channel])
      .map((channel) => {
        const work = () => service.deliverDue(channel)
        return [
          channel,
          createLoop({
            name: `deliveries by ${channel}`,
            work,
            interval: deliveryInterval,
            spacing: deliverySpacing,
            log,
          }),
        ]
      }),
  )
  lifecycle.onStop('deliveries', async () => {
    await Promise.all([...workers.values()].map((worker) => worker.stop()))
    await Promise.all(channelNames.map(service.attemptsEnded))
  })

  const events = await openEvents({ name, url, config, log, lifecycle, metrics })

  await serve({
    name,
    config,
    dependencies: [
      { name: 'database', check: database.check, required: true },
      { name: 'events', check: events.check, required: false },
    ],
    schemaFile: new URL('../../schema/notifications.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    grpc: {
      port: config.GRPC_PORT,
      add: (server) =>
        server.add(
          loadService<NotificationServiceDefinition>('notifications.v1.NotificationService'),
          createRpcHandlers(service),
        ),
    },
    lifecycle,
    mask,
    metrics,
  })

  for (const worker of workers.values()) worker.start()
  events.consume(createEventHandlers(service))
  await discovery.register({ port: config.PORT, grpcPort: config.GRPC_PORT })
})
