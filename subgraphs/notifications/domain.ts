import { badInput } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'

export type NotificationType = 'WELCOME' | 'ORDER_PLACED'
export type Channel = 'EMAIL'
export type DeliveryStatus = 'QUEUED' | 'SENT' | 'FAILED'

/** How to reach a person, as one of the account's events told. */
export type Contact = {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly locale: string
  /** The number of that event among the account's: of two contacts the higher one is the newer. */
  readonly sequence: number
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

/** The words of a message. */
export type Text = { readonly title: string; readonly body: string }

/** What goes over a channel: a delivery, or something that is kept nowhere. */
export type Message = Text & { readonly id: string; readonly createdAt: Date }

/** Whom a message goes to. */
export type Recipient = Pick<Contact, 'name' | 'email'>

/** A delivery that a worker has taken, with all that is needed to send it. */
export type TakenDelivery = Message & {
  readonly channel: Channel
  /** This attempt's number, from 1. */
  readonly attempt: number
  /** Undefined when the users service has not told of the account for as long as we wait. */
  readonly recipient: Recipient | undefined
}

/** A way to reach a person. `send` may be repeated for one message: the receiver sees the same id. */
export type ChannelSender = { send(message: Message, recipient: Recipient): Promise<void> }

/** What a one-time code is for. */
export type CodePurpose = 'RESET_PASSWORD' | 'VERIFY_EMAIL'

/** A one-time code to be mailed. Only a message ever holds it. */
export type CodeRequest = {
  readonly userId: string
  readonly recipient: Recipient
  readonly purpose: CodePurpose
  readonly code: string
  /** Seconds that the code is good for. */
  readonly lifetime: number
}

/** Only mail that arrives proves an address; this refuses what is none at all. */
const addressShape = /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u

/** Reads what a peer asks for. Throws BAD_USER_INPUT, in words that repeat nothing of it. */
export function parseCodeRequest(input: {
  userId: string
  email: string
  name: string
  purpose: string
  code: string
  lifetime: number
}): CodeRequest {
  const userId = parseId(input.userId)
  if (!userId) throw badInput('userId', 'An account id is a UUID.')
  const email = parseText('email', input.email, 254)
  if (!addressShape.test(email)) throw badInput('email', 'This is not an e-mail address.')
  const { purpose, lifetime } = input
  if (purpose !== 'RESET_PASSWORD' && purpose !== 'VERIFY_EMAIL') throw badInput('purpose', 'There is no such purpose.')
  if (lifetime < 1) throw badInput('lifetime', 'A code is good for at least a second.')
  return {
    userId,
    recipient: { email, name: parseText('name', input.name, 100) },
    purpose,
    code: parseText('code', input.code, 100),
    lifetime,
  }
}

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
