import { z } from 'zod'
import { busRules, busSettings } from '#platform/bus/open.ts'
import { databaseSettings, databaseUrl } from '#platform/database/open.ts'
import { port, processSettings, readEnv } from '#platform/env.ts'
import { identityRule, identitySettings } from '#platform/principal.ts'

export const settings = {
  ...processSettings,
  ...identitySettings,
  ...databaseSettings,
  ...busSettings,
  /** Default 4005. */
  PORT: port.default(4005),
  /** Default 50055. */
  GRPC_PORT: port.default(50_055),
  NOTIFICATIONS_DATABASE_URL: databaseUrl,
  /** The folder that e-mail is written to, one `.eml` file each. */
  MAIL_DIR: z.string(),
  /** The sender of e-mail. Default `Shop <shop@localhost>`. */
  MAIL_FROM: z.string().includes('@').default('Shop <shop@localhost>'),
}

/** E-mail in a folder reaches nobody. */
function mailRule({ NODE_ENV }: { NODE_ENV?: string }): string[] {
  return NODE_ENV === 'production' ? ['MAIL_DIR: is for development, and e-mail cannot be sent any other way yet'] : []
}

export const readConfig = () => readEnv(settings, [busRules, identityRule('notifications'), mailRule])
