import { createHash } from 'node:crypto'
import { ServiceError } from '#platform/errors.ts'
import type { User } from './account.ts'

/** One-time codes, which prove that someone reads the mail of an address. */

export type CodePurpose = 'RESET_PASSWORD' | 'VERIFY_EMAIL'

/** A code as it is kept. */
export type OneTimeCode = {
  readonly purpose: CodePurpose
  /** The address that it proves. */
  readonly email: string
  readonly hash: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** A code on its way to its account's address. `lifetime`: seconds that it is good for. */
export type CodeMail = {
  readonly user: User
  readonly purpose: CodePurpose
  readonly code: string
  readonly lifetime: number
}

/** Bytes that a code is made of: one for each symbol. */
export const codeBytes = 20

/** Codes of a purpose that an account may be mailed, and the seconds in which it may. */
export const codesAllowed = 5
export const codeWindow = 900

/** Crockford's base32: no I, L, O and U. https://www.crockford.com/base32.html */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * A code of 100 random bits, in groups as people type it: 20 symbols, of each byte the lowest five bits. Too many to be
 * guessed, so wrong tries are not counted: whoever knows an address could use them up for its owner.
 */
export function writeCode(random: Uint8Array): string {
  const symbols = Array.from(random.subarray(0, codeBytes), (byte) => alphabet.charAt(byte & 31)).join('')
  return symbols.match(/.{5}/g)?.join('-') ?? ''
}

/** What is kept of a code. However it is typed in (letter case, spaces, dashes, O for 0, I and L for 1), it is the same. */
export function hashCode(code: string): string {
  const symbols = code.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  return createHash('sha256').update(symbols).digest('base64url')
}

/** One refusal for a code that is wrong, expired, used or another's, so that nothing is learnt from it. */
export function wrongCode(): ServiceError {
  return new ServiceError('INVALID_CREDENTIALS', 'The code is wrong or no longer good. Ask for a new one.')
}
