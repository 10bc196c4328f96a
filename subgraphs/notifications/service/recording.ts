import type {
  EventData,
  orderCancelled,
  orderCreated,
  orderDelivered,
  orderPaid,
  orderShipped,
  paymentDeclined,
  paymentRefunded,
} from '#contracts/events.ts'
import type { ChannelName } from '../domain/channel.ts'
import type { Contact } from '../domain/contact.ts'
import { planDeliveries, type Reachability } from '../domain/delivery.ts'
import { type Facts, stranger } from '../domain/message.ts'
import type { Notification } from '../domain/notification.ts'
import type { NotificationsDependencies } from './dependencies.ts'

/** Milliseconds in which sign-ins are told once: each costs a mail and an SMS, and whoever has the password can make any number. */
const signInsTogether = 300_000

type Recording = Parameters<NotificationsDependencies['store']['record']>[2]

/**
 * What events tell. Each is recorded once, whatever the number of times it arrives: the notification with the deliveries
 * that the person's channels and preferences ask for at that moment.
 */
export function createRecording(dependencies: NotificationsDependencies) {
  const { store, channels, templates, now, newId, traces, onDue, onOutcome } = dependencies
  const open = (Object.keys(channels) as ChannelName[]).filter((name) => channels[name])

  /**
   * A notification with a delivery for each way that is open to reach the person. Throws RangeError, which is poison, for what
   * nobody could be told: a currency or an instant that is none.
   */
  function about(userId: string, facts: Facts, orderId: string | null = null) {
    templates.renderNotification(facts, stranger)
    return (reachability: Reachability, address: string | null = null): Notification => ({
      id: newId(),
      userId,
      facts,
      orderId,
      deliveries: planDeliveries({ userId, type: facts.type }, reachability, { open, newId, address }),
      createdAt: now(),
      readAt: null,
    })
  }

  async function record(eventId: string, userId: string, recording: Recording): Promise<void> {
    const { contact, notification, moved, ...rest } = recording
    // A contact may be what deliveries over any channel waited for.
    const due = new Set(contact ? open : [])
    let told = false
    const note = (made: Notification): Notification => {
      told = true
      for (const { channel } of made.deliveries) due.add(channel)
      return made
    }
    const written = await store.record(eventId, userId, {
      ...rest,
      traceparent: traces.here(),
      ...(contact && { contact }),
      ...(notification && { notification: (reachability) => note(notification(reachability)) }),
      ...(moved && { moved: (reachability, from) => note(moved(reachability, from)) }),
    })
    if (!written) return
    if (told) onOutcome('IN_APP', 'recorded')
    onDue(due)
  }

  const tell = async (eventId: string, userId: string, facts: Facts, orderId?: string): Promise<void> =>
    record(eventId, userId, { notification: about(userId, facts, orderId) })

  return {
    /** Records how to reach the person, unless something newer is known, and welcomes them. */
    userRegistered: (eventId: string, contact: Contact): Promise<void> =>
      record(eventId, contact.userId, { contact, notification: about(contact.userId, { type: 'WELCOME' }) }),

    /**
     * Records how to reach the person from now on, unless something newer is known. What is still to be sent goes there, except
     * what protects the account: where the e-mail address is another one, that and the news of it go to the address that it was.
     */
    userUpdated: (eventId: string, contact: Contact, at: Date = now()): Promise<void> =>
      record(eventId, contact.userId, {
        contact,
        moved: about(contact.userId, { type: 'EMAIL_CHANGED', at: at.toISOString() }),
      }),

    /**
     * Forgets the person: contact, preferences and subscriptions go together, then notifications with their deliveries, and what is
     * told of the account later is not recorded. What stays is the account's id and the time. A message that a worker took
     * before may still go out, until its lease ends.
     */
    userErased: (eventId: string, userId: string): Promise<void> => store.erase(eventId, userId, now()),

    /** Of sign-ins in 5 minutes the first is told. */
    userSignedIn: (eventId: string, { userId, at }: { userId: string; at: Date }): Promise<void> =>
      record(eventId, userId, {
        notification: about(userId, { type: 'NEW_SIGN_IN', at: at.toISOString() }),
        unlessToldSince: new Date(at.getTime() - signInsTogether),
      }),

    /** Ends the pushes to browsers that subscribed before, as the change ends their sessions. */
    passwordChanged: (eventId: string, { userId, at }: { userId: string; at: Date }): Promise<void> =>
      record(eventId, userId, {
        notification: about(userId, { type: 'PASSWORD_CHANGED', at: at.toISOString() }),
        endsSubscriptionsBefore: at,
      }),

    orderPlaced(eventId: string, order: EventData<typeof orderCreated>): Promise<void> {
      const { number, total, customerId, orderId } = order
      const items = order.items.map(({ name, quantity, unitPrice }) => ({ name, quantity, unitPrice }))
      return tell(eventId, customerId, { type: 'ORDER_PLACED', number, items, total }, orderId)
    },

    orderPaid: (eventId: string, { number, total, customerId, orderId }: EventData<typeof orderPaid>): Promise<void> =>
      tell(eventId, customerId, { type: 'ORDER_PAID', number, total }, orderId),

    orderShipped(eventId: string, order: EventData<typeof orderShipped>): Promise<void> {
      const { number, trackingNumber, customerId, orderId } = order
      return tell(eventId, customerId, { type: 'ORDER_SHIPPED', number, trackingNumber }, orderId)
    },

    orderDelivered: (
      eventId: string,
      { number, customerId, orderId }: EventData<typeof orderDelivered>,
    ): Promise<void> => tell(eventId, customerId, { type: 'ORDER_DELIVERED', number }, orderId),

    orderCancelled(eventId: string, order: EventData<typeof orderCancelled>): Promise<void> {
      const { number, reason, by, customerId, orderId } = order
      return tell(eventId, customerId, { type: 'ORDER_CANCELLED', number, reason, by }, orderId)
    },

    paymentDeclined(eventId: string, payment: EventData<typeof paymentDeclined>): Promise<void> {
      const { orderNumber: number = null, amount = null, reason, customerId, orderId } = payment
      return tell(eventId, customerId, { type: 'PAYMENT_DECLINED', number, amount, reason }, orderId)
    },

    paymentRefunded(eventId: string, payment: EventData<typeof paymentRefunded>): Promise<void> {
      const { orderNumber: number = null, amount, full, customerId, orderId } = payment
      return tell(eventId, customerId, { type: 'PAYMENT_REFUNDED', number, amount, full }, orderId)
    },
  }
}
