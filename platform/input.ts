import { badInput } from './errors.ts'

/** Reading what clients send: pure, for domains and resolvers. */

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** An id as databases compare them. Undefined for what no id can be: nothing has it. */
export function parseId(id: string): string | undefined {
  return uuid.test(id) ? id.toLowerCase() : undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const controlCharacters = /[\u0000-\u001f\u007f]/

/** A line of text, trimmed, of 1 to `most` characters. `field` is its path in the input. Throws BAD_USER_INPUT. */
export function parseText(field: string, value: string, most: number): string {
  const text = value.trim().normalize('NFC')
  if (text === '' || text.length > most) throw badInput(field, `This has 1 to ${most} characters.`)
  if (controlCharacters.test(text)) throw badInput(field, 'This has no control characters.')
  return text
}
