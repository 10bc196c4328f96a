export type NotificationType = 'WELCOME' | 'ORDER_PLACED'
export type Channel = 'EMAIL'
export type DeliveryStatus = 'QUEUED' | 'SENT' | 'FAILED'

export type Contact = {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly locale: string
}

export type Delivery = {
  readonly id: string
  readonly channel: Channel
  readonly status: DeliveryStatus
  readonly attempts: number
  readonly sentAt: Date | null
}

export type Notification = {
  readonly id: string
  readonly userId: string
  readonly type: NotificationType
  readonly title: string
  readonly body: string
  readonly orderId: string | null
  readonly deliveries: readonly Delivery[]
  readonly createdAt: Date
}

/** A delivery that a worker has taken, with all that is needed to send it. */
export type TakenDelivery = {
  readonly id: string
  readonly channel: Channel
  /** This attempt's number, from 1. */
  readonly attempt: number
  readonly createdAt: Date
  readonly title: string
  readonly body: string
  /** Undefined when the users service has not told of the account for as long as we wait. */
  readonly contact: Contact | undefined
}

/** The words of a notification. */
export type Text = { readonly title: string; readonly body: string }

/** A way to reach a person. `send` may be repeated for one delivery: the receiver sees the same id. */
export type ChannelSender = { send(delivery: TakenDelivery, contact: Contact): Promise<void> }

/** Notifications are their owner's alone. */
export function maySeeNotificationsOf(viewer: { sub: string | null }, userId: string): boolean {
  return viewer.sub === userId
}

const firstPause = 1_000
const longestPause = 3_600_000
/** Milliseconds after which a delivery is given up. */
export const patience = 86_400_000

/** When to try again after a failed attempt: pauses double, up to an hour. Undefined when a day has gone by. */
export function nextAttempt(delivery: Pick<TakenDelivery, 'attempt' | 'createdAt'>, now: Date): Date | undefined {
  const next = now.getTime() + Math.min(longestPause, firstPause * 2 ** (delivery.attempt - 1))
  return next - delivery.createdAt.getTime() > patience ? undefined : new Date(next)
}
