import { z } from 'zod'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings } from '#platform/database/open.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { discoverySettings } from '#platform/discovery.ts'
import { type Parsed, port, processSettings } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

export const channelSettings = {
  /** The sender of e-mail. Default `Shop <shop@localhost>`. */
  MAIL_FROM: z.string().includes('@').default('Shop <shop@localhost>'),
  /** The mail server: `smtp://` or `smtps://`, with user and password where it wants them. Required in production. */
  SMTP_URL: z
    .string()
    .refine(isMailServer, 'must be smtp:// or smtps://, with % written as %25 and no other option than ?tls=off')
    .optional(),
  /** The folder that e-mail is written to without a mail server, one `.eml` file each. */
  MAIL_DIR: z.string().optional(),
  /** Where SMS are posted. */
  SMS_WEBHOOK_URL: z.string().refine(isWebhook, 'must be an http:// or https:// URL without a user').optional(),
  /** What they are signed with: `whsec_` and 24 to 64 bytes in base64. */
  SMS_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_[A-Za-z\d+/]{32,86}={0,2}$/, 'must be whsec_ and 24 to 64 bytes in base64')
    .optional(),
  /** The folder that SMS are written to without a webhook. */
  SMS_DIR: z.string().optional(),
  /** Who we are to push services: a point of P-256 in base64url, as `npm run vapid` makes it. */
  VAPID_PUBLIC_KEY: z
    .string()
    .regex(/^[\w-]{87}$/, 'must be 65 bytes in base64url')
    .optional(),
  /** Its private half. */
  VAPID_PRIVATE_KEY: z
    .string()
    .regex(/^[\w-]{43}$/, 'must be 32 bytes in base64url')
    .optional(),
  /** Where push services reach whoever runs this: a `mailto:` or `https:` URL. */
  VAPID_SUBJECT: z.url({ protocol: /^(mailto|https)$/, error: 'must be a mailto: or https:// URL' }).optional(),
  /** The folder that push messages are written to without VAPID keys. */
  PUSH_DIR: z.string().optional(),
  /** `true` lets a push subscription lead to this machine and its network. Default false. */
  PUSH_ALLOW_PRIVATE: z.stringbool().default(false),
}

export const settings = {
  ...processSettings,
  ...discoverySettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  /** Default 4005. */
  PORT: port.default(4005),
  /** Default 50055. */
  GRPC_PORT: port.default(50_055),
  NOTIFICATIONS_DATABASE_URL: databaseUrl,
  ...channelSettings,
}

type Config = Partial<Parsed<typeof channelSettings & typeof processSettings>>

/** What belongs together. */
const sets = [
  ['SMS_WEBHOOK_URL', 'SMS_WEBHOOK_SECRET'],
  ['VAPID_PUBLIC_KEY', 'VAPID_PRIVATE_KEY', 'VAPID_SUBJECT'],
] as const

/** A channel has all that it needs or nothing; e-mail there must be, and what reaches nobody is no channel in production. */
export function channelRule(config: Config): string[] {
  const faults = sets.flatMap((names) => {
    const missing = names.filter((name) => !config[name])
    return missing.length < names.length ? missing.map((name) => `${name}: is not set, and belongs to what is`) : []
  })
  if (config.NODE_ENV !== 'production') {
    return config.SMTP_URL || config.MAIL_DIR ? faults : [...faults, 'MAIL_DIR: is not set, and neither is SMTP_URL']
  }
  if (!config.SMTP_URL) faults.push('SMTP_URL: is not set')
  for (const name of ['MAIL_DIR', 'SMS_DIR', 'PUSH_DIR', 'PUSH_ALLOW_PRIVATE'] as const) {
    if (config[name]) faults.push(`${name}: is for development`)
  }
  if (config.SMS_WEBHOOK_URL?.startsWith('http:')) faults.push('SMS_WEBHOOK_URL: must be https:// in production')
  return faults
}

function isMailServer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, hostname, search } = new URL(text)
  const written = [username, password].every((part) => /^([^%]|%[\da-f]{2})*$/i.test(part))
  return /^smtps?:$/.test(protocol) && written && hostname !== '' && (search === '' || search === '?tls=off')
}

function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && !username && !password
}

export const rules = [busRules, identityRule('notifications'), channelRule]
