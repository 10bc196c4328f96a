import type { Channel, Channels, PushTarget, SmsTarget } from '../domain/channel.ts'
import { createMailFolder } from './mail-folder.ts'
import { createMailServer } from './mail-server.ts'
import { createPushFolder } from './push-folder.ts'
import { createSmsFolder } from './sms-folder.ts'
import { createSmsWebhook } from './sms-webhook.ts'
import { createWebPush, type WebPushOptions } from './web-push.ts'

/** The settings of the channels, by the rules. */
export type ChannelSettings = {
  readonly NODE_ENV: string
  readonly MAIL_FROM: string
  readonly SMTP_URL?: string | undefined
  readonly MAIL_DIR?: string | undefined
  readonly SMS_WEBHOOK_URL?: string | undefined
  readonly SMS_WEBHOOK_SECRET?: string | undefined
  readonly SMS_DIR?: string | undefined
  readonly VAPID_PUBLIC_KEY?: string | undefined
  readonly VAPID_PRIVATE_KEY?: string | undefined
  readonly VAPID_SUBJECT?: string | undefined
  readonly PUSH_DIR?: string | undefined
  readonly PUSH_ALLOW_PRIVATE: boolean
}

export type ChannelDependencies = {
  now: () => Date
  /** The domain's rule of push subscriptions. */
  pushTargetFault: WebPushOptions['faultOf']
}

/** Opens the channels that the settings name: the real one where it is set, else the folder. */
export function createChannels(settings: ChannelSettings, { now, pushTargetFault }: ChannelDependencies): Channels {
  const sms = openSms(settings, now)
  const push = openPush(settings, pushTargetFault)
  return { EMAIL: createMail(settings), ...(sms && { SMS: sms }), ...(push && { PUSH: push }) }
}

/** Opens the way that e-mail goes, with connections of its own. */
export function createMail({ NODE_ENV, MAIL_FROM: from, SMTP_URL: url, MAIL_DIR: folder }: ChannelSettings) {
  if (url) return createMailServer({ url, from, requireTls: NODE_ENV === 'production' })
  if (folder) return createMailFolder({ folder, from })
  throw new Error('Neither SMTP_URL nor MAIL_DIR is set.')
}

function openSms(
  { SMS_WEBHOOK_URL: url, SMS_WEBHOOK_SECRET: secret, SMS_DIR: folder }: ChannelSettings,
  now: () => Date,
): Channel<SmsTarget> | undefined {
  if (url && secret) return createSmsWebhook({ url, secret, now })
  return folder ? createSmsFolder(folder) : undefined
}

function openPush(settings: ChannelSettings, faultOf: WebPushOptions['faultOf']): Channel<PushTarget> | undefined {
  const { VAPID_PUBLIC_KEY: publicKey, VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: subject } = settings
  if (publicKey && privateKey && subject) {
    const vapid = { publicKey, privateKey, subject }
    return createWebPush({ vapid, faultOf, allowPrivate: settings.PUSH_ALLOW_PRIVATE })
  }
  return settings.PUSH_DIR ? createPushFolder(settings.PUSH_DIR) : undefined
}
