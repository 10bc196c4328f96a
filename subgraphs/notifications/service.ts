import { createCodes } from './service/codes.ts'
import { createDeliveries } from './service/deliveries.ts'
import type { NotificationsDependencies } from './service/dependencies.ts'
import { createReading } from './service/reading.ts'
import { createRecording } from './service/recording.ts'
import { createSettings } from './service/settings.ts'

/** What can be done with notifications. */
export function createNotificationsService(dependencies: NotificationsDependencies) {
  return {
    ...createRecording(dependencies),
    ...createDeliveries(dependencies),
    ...createCodes(dependencies),
    ...createReading(dependencies),
    ...createSettings(dependencies),
  }
}

export type NotificationsService = ReturnType<typeof createNotificationsService>
