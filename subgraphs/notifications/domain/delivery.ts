import type { ChannelName, PushTarget } from './channel.ts'
import type { Contact } from './contact.ts'
import type { Facts, NotificationType } from './message.ts'
import { isSwitchedOn, type Preference } from './preference.ts'

export type DeliveryStatus = 'QUEUED' | 'SENT' | 'FAILED'

export type Delivery = {
  readonly id: string
  readonly channel: ChannelName
  /** The push subscription's id, and the account's id for the other channels. */
  readonly targetId: string
  /** The e-mail address that it goes to whatever the account's is by then. Null: the account's. */
  readonly address: string | null
  readonly status: DeliveryStatus
  readonly attempts: number
  readonly sentAt: Date | null
}

/** A delivery that a worker has taken, with all that is needed to send it. */
export type TakenDelivery = {
  readonly id: string
  /** This attempt's number, from 1. */
  readonly attempt: number
  readonly userId: string
  readonly facts: Facts
  readonly createdAt: Date
  /** The place in the trace of the event that it tells of. */
  readonly traceparent: string | null
  /** Null when the users service has not told of the account for as long as we wait. */
  readonly contact: Pick<Contact, 'name' | 'email' | 'locale' | 'phone'> | null
  /** Null for other channels, and when the subscription is gone. */
  readonly subscription: (PushTarget & { readonly id: string }) | null
}

/** What decides over which channels a notification goes. */
export type Reachability = {
  /** Undefined while the users service has not told of the account. */
  readonly contact: Pick<Contact, 'phone'> | undefined
  readonly subscriptions: readonly string[]
  readonly preferences: readonly Preference[]
}

/**
 * Deliveries that an account gets over each channel in an hour, which begins with the first of them. Whoever has an account can make
 * any number of events, and nobody has proven that its address and number are theirs. What is more is in the list in the graph
 * alone. What protects the account is neither counted nor held back: it has bounds of its own.
 */
export const mostAnHour: Record<ChannelName, number> = { EMAIL: 60, SMS: 20, PUSH: 60 }

/**
 * The deliveries of a new notification: one for each channel that is open, leads to the person and is switched on, and for
 * pushes one for each subscription. An e-mail waits for an account that is not known yet, and goes to the account's address where
 * no other is given.
 */
export function planDeliveries(
  { userId, type }: { userId: string; type: NotificationType },
  { contact, subscriptions, preferences }: Reachability,
  { open, newId, address }: { open: readonly ChannelName[]; newId: () => string; address: string | null },
): Delivery[] {
  const targets: Record<ChannelName, readonly string[]> = {
    EMAIL: [userId],
    SMS: contact?.phone ? [userId] : [],
    PUSH: subscriptions,
  }
  return open
    .filter((channel) => isSwitchedOn({ channel, type }, preferences))
    .flatMap((channel) => targets[channel].map((targetId) => ({ channel, targetId })))
    .map((delivery) => ({
      id: newId(),
      ...delivery,
      address: delivery.channel === 'EMAIL' ? address : null,
      status: 'QUEUED',
      attempts: 0,
      sentAt: null,
    }))
}

const firstPause = 1_000
const longestPause = 3_600_000
/** Milliseconds after which a delivery is given up. */
export const patience = 86_400_000

/**
 * When to try again after a failed attempt: pauses double, up to an hour, and are no shorter than the seconds that the other side
 * asks for. Undefined when a day has gone by.
 */
export function nextAttempt(
  delivery: Pick<TakenDelivery, 'attempt' | 'createdAt'>,
  now: Date,
  asked = 0,
): Date | undefined {
  const pause = Math.max(firstPause * 2 ** (delivery.attempt - 1), asked * 1_000)
  const next = now.getTime() + Math.min(longestPause, pause)
  return next - delivery.createdAt.getTime() > patience ? undefined : new Date(next)
}
