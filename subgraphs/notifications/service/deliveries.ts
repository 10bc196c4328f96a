import { ServiceError } from '#platform/errors.ts'
import type { ChannelName, Message, Outcome } from '../domain/channel.ts'
import { nextAttempt, patience, type TakenDelivery } from '../domain/delivery.ts'
import { stranger } from '../domain/message.ts'
import { type NotificationsDependencies, nameOf } from './dependencies.ts'

/** Deliveries of one channel that are under way at once. */
const mostUnderWay = 50
/** Places that are to be free before more is taken, since a look costs the same for one, and milliseconds after which one will do. */
const enoughRoom = 20
const roomPatience = 100
/** Milliseconds after which a delivery that a worker took and did not finish is taken again. */
const leaseTime = 30_000
/** Milliseconds of the lease that are left for writing down what became of an attempt. */
const reserve = 5_000

const refused = (reason: string): Outcome => ({ sent: false, reason })

/** What the workers do, one for each channel, so that one that is slow holds up no other. */
export function createDeliveries(dependencies: NotificationsDependencies) {
  const { store, channels, templates, traces, now, onOutcome, onFailedAttempt } = dependencies
  const underWay: Record<ChannelName, Set<Promise<void>>> = { EMAIL: new Set(), SMS: new Set(), PUSH: new Set() }

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

  async function deliver(
    channel: ChannelName,
    delivery: TakenDelivery,
    signal: AbortSignal,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const { id, attempt, facts, createdAt, contact, subscription } = delivery
    const failed = async (next: Date | undefined, reason: string) => {
      onFailedAttempt({ id, channel, attempt }, reason)
      if (await store.markFailedAttempt({ id, attempt }, next, reason)) onOutcome(channel, next ? 'retried' : 'failed')
    }
    const isLate = now().getTime() - createdAt.getTime() > patience
    if (isLate) return failed(undefined, contact ? 'too late' : 'unknown account')
    let outcome: Outcome
    try {
      const text = templates.renderNotification(facts, contact ?? stranger)
      outcome = await senders[channel]({ id, ...text, createdAt }, delivery, signal)
    } catch (error) {
      onFailure(error)
      return failed(nextAttempt(delivery, now(), secondsAskedBy(error)), nameOf(error))
    }
    if (!outcome.sent) {
      onFailure({ code: 'REFUSED' })
      if (outcome.gone && subscription) await store.dropSubscription(subscription)
      return failed(undefined, outcome.reason)
    }
    await store.markSent(id, now())
    onOutcome(channel, 'sent')
  }

  /** Begins an attempt. What became of it may not get written down: then the lease ends, and it is repeated. */
  function begin(channel: ChannelName, delivery: TakenDelivery, signal: AbortSignal): void {
    const { id, attempt, traceparent } = delivery
    const attempted = traces
      .resume({ id, channel, attempt, traceparent }, (onFailure) => deliver(channel, delivery, signal, onFailure))
      .catch((error) => onFailedAttempt({ id, channel, attempt }, nameOf(error)))
      .finally(() => underWay[channel].delete(attempted))
    underWay[channel].add(attempted)
  }

  async function roomOver(channel: ChannelName): Promise<void> {
    const attempts = underWay[channel]
    await Promise.race(attempts)
    let waiting = true
    const late = new Promise<void>((resolve) => setTimeout(resolve, roomPatience)).then(() => {
      waiting = false
    })
    while (waiting && mostUnderWay - attempts.size < enoughRoom) await Promise.race([...attempts, late])
  }

  return {
    /**
     * Begins to send what is due over a channel, as far as there is room, so that an attempt that is slow takes up no more than
     * its own place. Returns true, once there is room again, when there may be more. A delivery is attempted at least once: one
     * that was sent when its worker died is sent again, under the same id. None is under way when its lease ends: by then another
     * worker has it, or its account was erased.
     */
    async deliverDue(channel: ChannelName): Promise<boolean> {
      const at = now()
      const leaseUntil = new Date(at.getTime() + leaseTime)
      const room = mostUnderWay - underWay[channel].size
      const taken = await store.takeDue({ channel, limit: room, at, leaseUntil, giveUp: patience })
      if (taken.length === 0 && room > 0) return false
      const left = leaseUntil.getTime() - reserve - now().getTime()
      if (left <= 0) return true
      const signal = AbortSignal.timeout(left)
      for (const delivery of taken) begin(channel, delivery, signal)
      if (taken.length < room) return false
      await roomOver(channel)
      return true
    },

    /** Resolves when every attempt that was begun over a channel has ended. */
    async attemptsEnded(channel: ChannelName): Promise<void> {
      while (underWay[channel].size > 0) await Promise.all(underWay[channel])
    },
  }
}

/** Seconds that the other side asks to be left alone. */
function secondsAskedBy(error: unknown): number {
  return (error instanceof ServiceError && error.details.retryAfter) || 0
}
