import { badInput } from './errors.ts'

/** Reading what clients send: pure, for domains and resolvers. */

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** An id as databases compare them. Undefined for what no id can be: nothing has it. */
export function parseId(id: string): string | undefined {
  return uuid.test(id) ? id.toLowerCase() : undefined
}

/** What ends a line, and what turns the direction of all that follows: with either, a text can pass for another. */
const controlCharacters = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
/** Something that can be seen. Joiners, marks and spaces alone cannot. */
const visible = /[^\p{Cf}\p{M}\p{Z}\u115f\u1160\u3164\uffa0]/u

/**
 * A line of text, trimmed, of 1 to `most` characters, of which at least one can be seen. `field` is its path in the input.
 * Throws BAD_USER_INPUT.
 */
export function parseText(field: string, value: string, most: number): string {
  // Half a character would be stored as something else than was sent.
  if (!value.isWellFormed()) throw badInput(field, 'This is not Unicode text.')
  const text = value.trim().normalize('NFC')
  if (text === '' || text.length > most) throw badInput(field, `This has 1 to ${most} characters.`)
  if (controlCharacters.test(text)) throw badInput(field, 'This has no control characters.')
  if (!visible.test(text)) throw badInput(field, 'This has something that can be seen.')
  return text
}
