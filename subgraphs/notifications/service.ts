import type { EventData, orderCreated, userRegistered } from '#contracts/events.ts'
import { notFound } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import {
  type Channel,
  type ChannelSender,
  maySeeNotificationsOf,
  type Notification,
  type NotificationType,
  nextAttempt,
  patience,
  type TakenDelivery,
  type Text,
} from './domain.ts'
import type { NotificationsStore } from './store.ts'

export type NotificationsDependencies = {
  store: NotificationsStore
  channels: Record<Channel, ChannelSender>
  templates: {
    welcome(account: { name: string }): Text
    orderPlaced(order: EventData<typeof orderCreated>): Text
  }
  now: () => Date
  newId: () => string
  /** Told of an attempt that failed. */
  onFailedAttempt: (delivery: TakenDelivery, error: unknown) => void
}

/** Deliveries that one turn of the worker takes. */
const takenAtOnce = 20
/** Milliseconds after which a delivery that a worker took and did not finish is taken again. */
const leaseTime = 30_000

export function createNotificationsService(dependencies: NotificationsDependencies) {
  const { store, channels, templates, now, newId, onFailedAttempt } = dependencies

  function notification(
    userId: string,
    type: NotificationType,
    text: Text,
    orderId: string | null = null,
  ): Notification {
    const deliveries = [
      { id: newId(), channel: 'EMAIL' as const, status: 'QUEUED' as const, attempts: 0, sentAt: null },
    ]
    return { id: newId(), userId, type, ...text, orderId, deliveries, createdAt: now() }
  }

  async function deliver(delivery: TakenDelivery): Promise<void> {
    try {
      if (!delivery.contact) throw new Error('The account is not known.')
      await channels[delivery.channel].send(delivery, delivery.contact)
      await store.markSent(delivery.id, now())
    } catch (error) {
      onFailedAttempt(delivery, error)
      await store.markFailedAttempt(
        delivery.id,
        nextAttempt(delivery, now()),
        error instanceof Error ? error.name : 'Error',
      )
    }
  }

  return {
    /** One more than asked for tells whether more follows. Throws NOT_FOUND. */
    async notificationsOf(
      viewer: Principal,
      { userId, limit, after }: { userId: string; limit: number; after: { createdAt: Date; id: string } | undefined },
    ): Promise<Notification[]> {
      if (!maySeeNotificationsOf(viewer, userId)) throw notFound('user')
      return store.listNotifications({ userId, limit: limit + 1, after })
    },

    /** Records how to reach the person, and welcomes them. Once for each event. */
    userRegistered(eventId: string, contact: EventData<typeof userRegistered>): Promise<void> {
      const welcome = notification(contact.userId, 'WELCOME', templates.welcome(contact))
      return store.record(eventId, { contact, notification: welcome })
    },

    /** Records the notification. Once for each event. */
    orderPlaced(eventId: string, order: EventData<typeof orderCreated>): Promise<void> {
      const placed = notification(order.customerId, 'ORDER_PLACED', templates.orderPlaced(order), order.orderId)
      return store.record(eventId, { notification: placed })
    },

    /**
     * Sends what is due. Returns true when there may be more. A delivery is attempted at least once: one that was sent
     * when its worker died is sent again, under the same id.
     */
    async deliverDue(): Promise<boolean> {
      const at = now()
      const taken = await store.takeDue({
        limit: takenAtOnce,
        at,
        leaseUntil: new Date(at.getTime() + leaseTime),
        giveUp: patience,
      })
      await Promise.all(taken.map(deliver))
      return taken.length === takenAtOnce
    },
  }
}

export type NotificationsService = ReturnType<typeof createNotificationsService>
