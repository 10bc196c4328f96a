import { signInFirst } from '#platform/errors.ts'
import type { Channel, ChannelName, Channels, EmailTarget } from '../domain/channel.ts'
import type { CodeRequest } from '../domain/code.ts'
import type { Facts, OneTimeCode, Person, Text } from '../domain/message.ts'
import type { NotificationsStore } from '../store.ts'

export type NotificationsDependencies = {
  store: NotificationsStore
  channels: Channels
  /** How one-time codes are mailed: apart from the notifications, so that no code waits behind them. */
  codeMail: Channel<EmailTarget>
  templates: {
    renderNotification(facts: Facts, person: Person): Text
    renderCode(code: OneTimeCode, person: Person): Pick<Text, 'title' | 'body' | 'html'>
  }
  /** What a browser needs to subscribe to pushes. Undefined where they are not sent by Web Push. */
  pushPublicKey: string | undefined
  /** Whether push services on this machine may be subscribed with. For development and tests. */
  allowsLocalPush: boolean
  traces: Traces
  now: () => Date
  newId: () => string
  /** Told over which channels there is something new to deliver. */
  onDue: (channels: ReadonlySet<ChannelName>) => void
  /** Told of what became of each attempt, and of each notification that was recorded. */
  onOutcome: (channel: ChannelName | 'IN_APP', status: 'recorded' | 'sent' | 'retried' | 'failed') => void
  /** Told of an attempt that failed. `reason` names the failure and holds nothing of what was sent. */
  onFailedAttempt: (delivery: { id: string; channel: ChannelName; attempt: number }, reason: string) => void
  /** Told of a code that could not be mailed. `reason` names the error and holds nothing of what was sent. */
  onUnsentCode: (request: Pick<CodeRequest, 'userId' | 'purpose'>, reason: string) => void
}

/** What connects a delivery with the event that led to it, however long ago. */
export type Traces = {
  /** The place in the trace of the work at hand. */
  here: () => string | undefined
  /** Makes an attempt in the trace that was left there. `failed` tells why it came to nothing, though it did not throw. */
  resume: <T>(
    delivery: { id: string; channel: ChannelName; attempt: number; traceparent: string | null },
    attempt: (failed: (error: unknown) => void) => Promise<T>,
  ) => Promise<T>
}

/** What kind of failure it was: a code such as `ENOSPC`, or the name of the error. Its message may repeat what was sent. */
export function nameOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : String(name ?? 'Error')
}

/** On whose behalf something is asked: nobody's that is known, where `sub` is null. */
export type Caller = { readonly sub: string | null }

/** The caller's account. Throws UNAUTHENTICATED. */
export function signedIn({ sub }: Caller): string {
  if (sub === null) throw signInFirst()
  return sub
}
