import { isUtf8 } from 'node:buffer'
import { ServiceError } from '#platform/errors.ts'

/** How deep objects and lists may be nested in a request. */
const deepest = 64
/** Digits beyond which a number may not be what was sent. */
const safeDigits = 15

/**
 * Reads I-JSON (RFC 7493): JSON in UTF-8 in which no name occurs twice in an object and every number is what was sent
 * when a double holds it, so that nobody on the way reads it in another way. Also refused are names that JavaScript
 * gives a meaning of its own, and values that are nested deeper than 64. Throws BAD_REQUEST.
 */
export function readJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw malformed('The body is not UTF-8.')
  const text = bytes.toString('utf8')
  return parseJson(text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text)
}

/** The same for text. */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('This is not JSON.')
  }
  scan(text)
  return value
}

const byteOrderMark = 0xfeff
const [quote, backslash, comma, colon, minus, zero, nine] = Array.from('"\\,:-09', (char) => char.charCodeAt(0))
const [openBrace, closeBrace, openBracket, closeBracket] = Array.from('{}[]', (char) => char.charCodeAt(0))

/** Looks at text that is known to be JSON for what JSON.parse lets pass. */
function scan(text: string): void {
  /** The names of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = []
  let at = 0
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      const end = endOfString(text, at)
      const names = open.at(-1)
      if (names && isName(text, end)) addName(names, text.slice(at, end))
      at = end
    } else if (char === openBrace || char === openBracket) {
      open.push(char === openBrace ? new Set() : null)
      if (open.length > deepest) throw malformed(`Values are nested deeper than ${deepest}.`)
      at++
    } else if (char === closeBrace || char === closeBracket) {
      open.pop()
      at++
    } else if (char === minus || isDigit(char)) {
      const end = endOfNumber(text, at)
      if (end - at > safeDigits || hasExponent(text, at, end)) checkNumber(text.slice(at, end))
      at = end
    } else at++
  }
}

/** The place after the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end + 1
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes++
  return backslashes % 2 === 1
}

/** True when what ends here is a name: the next sign is a colon. */
function isName(text: string, end: number): boolean {
  let at = end
  while (text.charCodeAt(at) <= 0x20) at++
  return text.charCodeAt(at) === colon
}

function addName(names: Set<string>, literal: string): void {
  const name: string = literal.includes('\\') ? JSON.parse(literal) : literal.slice(1, -1)
  if (names.has(name)) throw malformed('A name occurs twice in one object.')
  if (name === '__proto__') throw malformed('The name __proto__ is not allowed.')
  names.add(name)
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1
  for (let char = text.charCodeAt(end); end < text.length; char = text.charCodeAt(++end)) {
    if (char === comma || char === closeBrace || char === closeBracket || char <= 0x20) break
  }
  return end
}

function hasExponent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((text.charCodeAt(at) | 0x20) === 0x65) return true
  return false
}

function checkNumber(literal: string): void {
  const value = Number(literal)
  const whole = /^-?\d+$/.test(literal)
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    throw malformed('A number is too large to be kept as it is: send it as a string.')
  }
}

function isDigit(char: number): boolean {
  return char >= (zero ?? 0) && char <= (nine ?? 0)
}

function malformed(message: string): ServiceError {
  return new ServiceError('BAD_REQUEST', message)
}
