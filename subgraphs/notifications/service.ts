import type { EventData, orderCreated } from '#contracts/events.ts'
import { notFound, ServiceError } from '#platform/errors.ts'
import type { Principal } from '#platform/principal.ts'
import {
  type Channel,
  type ChannelSender,
  type CodePurpose,
  type CodeRequest,
  type Contact,
  maySeeNotificationsOf,
  type Notification,
  type NotificationType,
  nextAttempt,
  parseCodeRequest,
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
    resetPassword(code: OneTimeCode): Text
    verifyEmail(code: OneTimeCode): Text
  }
  now: () => Date
  newId: () => string
  /** Told of an attempt that failed. */
  onFailedAttempt: (delivery: TakenDelivery, error: unknown) => void
  /** Told of a code that could not be mailed. `reason` names the error and holds nothing of what was sent. */
  onUnsentCode: (request: Pick<CodeRequest, 'userId' | 'purpose'>, reason: string) => void
}

type OneTimeCode = { name: string; code: string; lifetime: number }

/** Deliveries that one turn of the worker takes. */
const takenAtOnce = 20
/** Milliseconds after which a delivery that a worker took and did not finish is taken again. */
const leaseTime = 30_000

export function createNotificationsService(dependencies: NotificationsDependencies) {
  const { store, channels, templates, now, newId, onFailedAttempt, onUnsentCode } = dependencies

  const codeText: Record<CodePurpose, (code: OneTimeCode) => Text> = {
    RESET_PASSWORD: templates.resetPassword,
    VERIFY_EMAIL: templates.verifyEmail,
  }

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
      if (!delivery.recipient) throw new Error('The account is not known.')
      await channels[delivery.channel].send(delivery, delivery.recipient)
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

    /** Records how to reach the person, unless something newer is known, and welcomes them. Once for each event. */
    userRegistered(eventId: string, contact: Contact): Promise<void> {
      const welcome = notification(contact.userId, 'WELCOME', templates.welcome(contact))
      return store.record(eventId, contact.userId, { contact, notification: welcome })
    },

    /** Records how to reach the person from now on, unless something newer is known. What is still to be sent goes there. */
    userUpdated(eventId: string, contact: Contact): Promise<void> {
      return store.record(eventId, contact.userId, { contact })
    },

    /**
     * Forgets the person: contact, notifications and deliveries go together, and what is told of the account later is not
     * recorded. What stays is the account's id and the time. A message that a worker took before may still go out, until
     * its lease ends.
     */
    userErased(eventId: string, userId: string): Promise<void> {
      return store.erase(eventId, userId, now())
    },

    /** Records the notification. Once for each event. */
    orderPlaced(eventId: string, order: EventData<typeof orderCreated>): Promise<void> {
      const placed = notification(order.customerId, 'ORDER_PLACED', templates.orderPlaced(order), order.orderId)
      return store.record(eventId, order.customerId, { notification: placed })
    },

    /**
     * Mails a one-time code, before it returns. The code is in the mail and nowhere else: in no table, log, event or
     * error. So a failure is not repeated from here. Throws BAD_USER_INPUT; SUBGRAPH_UNAVAILABLE when the mail could not
     * be handed over.
     */
    async sendCode(input: Parameters<typeof parseCodeRequest>[0]): Promise<void> {
      const { userId, recipient, purpose, code, lifetime } = parseCodeRequest(input)
      const text = codeText[purpose]({ name: recipient.name, code, lifetime })
      try {
        await channels.EMAIL.send({ id: newId(), ...text, createdAt: now() }, recipient)
      } catch (error) {
        onUnsentCode({ userId, purpose }, nameOf(error))
        // Without its cause: a mail server's words may repeat what it was given.
        throw new ServiceError('SUBGRAPH_UNAVAILABLE', 'The mail could not be handed over.', {
          subgraph: 'notifications',
          retryAfter: 1,
        })
      }
    },

    /**
     * Sends what is due. Returns true when there may be more. A delivery is attempted at least once: one that was sent
     * when its worker died is sent again, under the same id. None is handed over after its lease: by then another worker
     * has it, or its account was erased.
     */
    async deliverDue(): Promise<boolean> {
      const at = now()
      const leaseUntil = new Date(at.getTime() + leaseTime)
      const taken = await store.takeDue({ limit: takenAtOnce, at, leaseUntil, giveUp: patience })
      if (now() >= leaseUntil) return true
      await Promise.all(taken.map(deliver))
      return taken.length === takenAtOnce
    },
  }
}

/** What kind of failure it was: a code such as `ENOSPC`, or the name of the error. */
function nameOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : String(name ?? 'Error')
}

export type NotificationsService = ReturnType<typeof createNotificationsService>
