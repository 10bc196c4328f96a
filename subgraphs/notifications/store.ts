import { PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { Database } from '#platform/database/open.ts'
import { deliveryStore } from './store/deliveries.ts'
import { type ErasureOptions, eventStore } from './store/events.ts'
import { notificationStore } from './store/notifications.ts'
import { preferenceStore } from './store/preferences.ts'
import { subscriptionStore } from './store/subscriptions.ts'

/** What the notifications service keeps. */
export function createNotificationsStore(adapter: Database['adapter'], options: ErasureOptions = {}) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })
  return {
    ...eventStore(prisma, options),
    ...notificationStore(prisma),
    ...deliveryStore(prisma),
    ...preferenceStore(prisma),
    ...subscriptionStore(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type NotificationsStore = ReturnType<typeof createNotificationsStore>
