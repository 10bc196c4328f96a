import type { ChannelName, Message, Outcome } from '../domain/channel.ts'
import { nextAttempt, patience, type TakenDelivery } from '../domain/delivery.ts'
import { stranger } from '../domain/message.ts'
import { type NotificationsDependencies, nameOf } from './dependencies.ts'

/** Deliveries that one turn of a channel's worker takes. */
const takenAtOnce = 50
/** Milliseconds after which a delivery that a worker took and did not finish is taken again. */
const leaseTime = 30_000
/** Milliseconds of the lease that are left for writing down what became of an attempt. */
const reserve = 5_000

const refused = (reason: string): Outcome => ({ sent: false, reason })

/** What the workers do, one for each channel, so that one that is slow holds up no other. */
export function createDeliveries(dependencies: NotificationsDependencies) {
  const { store, channels, templates, now, onOutcome, onFailedAttempt } = dependencies

  const senders: Record<
    ChannelName,
    (message: Message, delivery: TakenDelivery, signal: AbortSignal) => Promise<Outcome>
  > = {
    EMAIL: async (message, { contact }, signal) =>
      contact ? channels.EMAIL.send(message, contact, signal) : refused('unknown account'),
    SMS: async (message, { contact }, signal) =>
      contact?.phone && channels.SMS
        ? channels.SMS.send(message, { phone: contact.phone }, signal)
        : refused('no phone number'),
    PUSH: async (message, { subscription }, signal) =>
      subscription && channels.PUSH ? channels.PUSH.send(message, subscription, signal) : refused('unsubscribed'),
  }

  async function deliver(channel: ChannelName, delivery: TakenDelivery, signal: AbortSignal): Promise<void> {
    const { id, attempt, facts, createdAt, contact, subscription } = delivery
    const failed = async (next: Date | undefined, reason: string) => {
      await store.markFailedAttempt(id, next, reason)
      onFailedAttempt({ id, channel, attempt }, reason)
      onOutcome(channel, next ? 'retried' : 'failed')
    }
    let outcome: Outcome
    try {
      const text = templates.renderNotification(facts, contact ?? stranger)
      outcome = await senders[channel]({ id, ...text, createdAt }, delivery, signal)
    } catch (error) {
      return failed(nextAttempt(delivery, now()), nameOf(error))
    }
    if (!outcome.sent) {
      if (outcome.gone && subscription) await store.dropSubscription(subscription)
      return failed(undefined, outcome.reason)
    }
    await store.markSent(id, now())
    onOutcome(channel, 'sent')
  }

  return {
    /**
     * Sends what is due over a channel. Returns true when there may be more. A delivery is attempted at least once: one that
     * was sent when its worker died is sent again, under the same id. None is under way when its lease ends: by then another
     * worker has it, or its account was erased.
     */
    async deliverDue(channel: ChannelName): Promise<boolean> {
      const at = now()
      const leaseUntil = new Date(at.getTime() + leaseTime)
      const taken = await store.takeDue({ channel, limit: takenAtOnce, at, leaseUntil, giveUp: patience })
      const left = leaseUntil.getTime() - reserve - now().getTime()
      if (left <= 0) return true
      const signal = AbortSignal.timeout(left)
      await Promise.all(taken.map((delivery) => deliver(channel, delivery, signal)))
      return taken.length === takenAtOnce
    },
  }
}
