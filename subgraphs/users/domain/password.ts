import { badInput } from '#platform/errors.ts'

/** NIST SP 800-63B, 5.1.1.2: length counts and what is easily guessed is refused; nothing else is asked of a password. */

/** Passwords that look the same are the same, however the keyboard composed them. */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC')
}

/** A password as it is hashed: 8 to 128 characters, counted as code points. `field` is its path. Throws BAD_USER_INPUT. */
export function parsePassword(field: string, text: string): string {
  // Halves of surrogate pairs would all be hashed as the same character.
  if (!text.isWellFormed()) throw badInput(field, 'This is not Unicode text.')
  const password = normalizePassword(text)
  const { length } = [...password]
  if (length < 8 || length > 128) throw badInput(field, 'A password has 8 to 128 characters.')
  return password
}

/** Changes of a password that an account may make, and the seconds in which it may. */
export const changesAllowed = 5
export const changeWindow = 900

/** What a password must not be. */
export type Guesses = {
  /** Whether many people have it. */
  isCommon: (password: string) => boolean
  /** Whose password it would be. */
  owner: { readonly email: string; readonly name?: string }
}

/** Refuses what is guessed first: a common password, and the owner's own address or name. Throws BAD_USER_INPUT. */
export function refuseGuessable(field: string, password: string, { isCommon, owner: { email, name } }: Guesses): void {
  const text = password.trim().toLowerCase()
  if (isCommon(text)) throw badInput(field, 'Too many people have this password.')
  const own = [email, email.slice(0, email.lastIndexOf('@')), name ?? '']
  if (own.some((known) => normalizePassword(known).toLowerCase() === text)) {
    throw badInput(field, 'A password is neither the e-mail address nor the name.')
  }
}
