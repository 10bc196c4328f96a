/** The ways to reach a person. */
export const channelNames = ['EMAIL', 'SMS', 'PUSH'] as const

export type ChannelName = (typeof channelNames)[number]

/** What goes over a channel. A repeat has the same id. */
export type Message = {
  readonly id: string
  readonly title: string
  readonly body: string
  readonly html: string
  readonly short: string
  readonly createdAt: Date
}

/**
 * What became of an attempt. A refusal is final: no repeat may help. A passing failure is thrown instead.
 *
 * `gone`: the target is no more. `reason`: a short code, nothing personal.
 */
export type Outcome =
  | { readonly sent: true }
  | { readonly sent: false; readonly reason: string; readonly gone?: boolean }

export type EmailTarget = { readonly name: string; readonly email: string }
/** E.164. */
export type SmsTarget = { readonly phone: string }
export type PushTarget = { readonly endpoint: string; readonly p256dh: string; readonly auth: string }

/** A way to reach a person. */
export type Channel<Target> = {
  send(message: Message, target: Target, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}

/** The channels that are open. E-mail always is; nobody is reached over one that is absent. */
export type Channels = {
  readonly EMAIL: Channel<EmailTarget>
  readonly SMS?: Channel<SmsTarget>
  readonly PUSH?: Channel<PushTarget>
}
