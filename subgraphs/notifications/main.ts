import { randomUUID } from 'node:crypto'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openEvents } from '#platform/events.ts'
import { loadService } from '#platform/grpc/service.ts'
import { run } from '#platform/lifecycle.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import { createMetrics } from '#platform/metrics.ts'
import { serve } from '#platform/serve.ts'
import { createMailFolder } from './channels/mail-folder.ts'
import { readConfig } from './config.ts'
import { createEventHandlers } from './events.ts'
import { createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createNotificationsService } from './service.ts'
import { createNotificationsStore } from './store.ts'
import * as english from './templates/english.ts'

const name = 'notifications'
/** Milliseconds between looks for deliveries whose pause is over. */
const deliveryInterval = 1_000

await run(name, readConfig, async ({ config, log, lifecycle }) => {
  const url = config.NOTIFICATIONS_DATABASE_URL
  const mask = createMask({ service: name, log })
  const metrics = createMetrics({ service: name })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/notifications/migrations', import.meta.url),
    poolSize: config.DATABASE_POOL_SIZE,
    log,
    lifecycle,
    metrics,
  })
  const store = createNotificationsStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const service = createNotificationsService({
    store,
    channels: { EMAIL: createMailFolder({ folder: config.MAIL_DIR, from: config.MAIL_FROM }) },
    templates: english,
    now: () => new Date(),
    newId: randomUUID,
    onFailedAttempt: ({ id, channel, attempt }, error) =>
      log.warn('delivery failed', { delivery: id, channel, attempt, error }),
    onUnsentCode: ({ userId, purpose }, reason) => log.warn('code not sent', { userId, purpose, reason }),
  })
  const worker = createLoop({ name: 'deliveries', work: service.deliverDue, interval: deliveryInterval, log })
  lifecycle.onStop('deliveries', worker.stop)

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

  worker.start()
  events.consume(createEventHandlers(service, worker.wake))
})
