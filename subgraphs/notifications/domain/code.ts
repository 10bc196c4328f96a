import { badInput } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'
import type { EmailTarget } from './channel.ts'
import type { OneTimeCode } from './message.ts'

/** A one-time code to be mailed. Only a message ever holds it. */
export type CodeRequest = OneTimeCode & {
  readonly userId: string
  readonly recipient: EmailTarget
  /** A BCP 47 tag, or anything else: then the code comes in English. */
  readonly locale: string
}

/** Only mail that arrives proves an address; this refuses what is none at all. */
const addressShape = /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u

/** Reads what a peer asks for. Throws BAD_USER_INPUT, in words that repeat nothing of it. */
export function parseCodeRequest(input: {
  userId: string
  email: string
  name: string
  locale: string
  purpose: string
  code: string
  lifetime: number
}): CodeRequest {
  const userId = parseId(input.userId)
  if (!userId) throw badInput('userId', 'An account id is a UUID.')
  const email = parseText('email', input.email, 254)
  if (!addressShape.test(email)) throw badInput('email', 'This is not an e-mail address.')
  const { purpose, lifetime, locale } = input
  if (purpose !== 'RESET_PASSWORD' && purpose !== 'VERIFY_EMAIL') throw badInput('purpose', 'There is no such purpose.')
  if (lifetime < 1) throw badInput('lifetime', 'A code is good for at least a second.')
  return {
    userId,
    recipient: { email, name: parseText('name', input.name, 100) },
    locale,
    purpose,
    code: parseText('code', input.code, 100),
    lifetime,
  }
}
