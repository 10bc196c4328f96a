import { badInput } from '#platform/errors.ts'
import { parseText } from '#platform/input.ts'
import type { User } from './account.ts'
import { parsePassword } from './password.ts'

export type Registration = {
  readonly name: string
  readonly email: string
  readonly password: string
  readonly locale: string
  readonly phone?: string | null | undefined
}

/** What of a profile is to change. What is absent stays, and so does what cannot be empty and is null. */
export type ProfileChange = {
  readonly name?: string | null | undefined
  readonly email?: string | null | undefined
  /** Null takes the number away. */
  readonly phone?: string | null | undefined
  readonly locale?: string | null | undefined
}

/** A registration by the rules, in the form in which it is kept. Throws BAD_USER_INPUT. */
export function parseRegistration(input: Registration) {
  return {
    name: parseName(input.name),
    email: parseEmail(input.email),
    password: parsePassword('password', input.password),
    phone: input.phone == null ? null : parsePhone(input.phone),
    locale: parseLocale(input.locale),
  }
}

/** What of a profile changes, by the rules, in the form in which it is kept. Throws BAD_USER_INPUT. */
export function parseProfileChange({ name, email, phone, locale }: ProfileChange) {
  return {
    ...(name != null && { name: parseName(name) }),
    ...(email != null && { email: parseEmail(email) }),
    ...(phone !== undefined && { phone: phone === null ? null : parsePhone(phone) }),
    ...(locale != null && { locale: parseLocale(locale) }),
  }
}

/** The account after a change. An address that is another one is not proven. Undefined when everything was so already. */
export function changeProfile(user: User, change: ReturnType<typeof parseProfileChange>): User | undefined {
  const changed = { ...user, ...change }
  const same = (['name', 'email', 'phone', 'locale'] as const).every((field) => changed[field] === user[field])
  if (same) return undefined
  return changed.email === user.email ? changed : { ...changed, emailVerifiedAt: null }
}

/** Addresses that differ in surrounding spaces or letter case are the same address. */
export function normalizeEmail(email: string): string {
  return email.trim().normalize('NFC').toLowerCase()
}

function parseName(text: string): string {
  return parseText('name', text, 100)
}

/** Only mail that arrives proves an address; this refuses what cannot be one, half a surrogate pair included. */
const emailShape = /^[^\s@"(),:;<>[\\\]\p{Cc}\p{Cs}]{1,64}@[^\s@.\p{Cc}\p{Cs}]+(\.[^\s@.\p{Cc}\p{Cs}]+)+$/u

/** Whether an account may have it, normalized. What is none is not looked for: databases refuse some texts. */
export function isEmail(email: string): boolean {
  return email.length <= 254 && emailShape.test(email)
}

function parseEmail(text: string): string {
  const email = normalizeEmail(text)
  if (!isEmail(email)) throw badInput('email', 'This is not an e-mail address.')
  return email
}

/** ITU-T E.164: a country code and a number, 15 digits at the most. The shortest in use have 7. */
const phoneShape = /^\+[1-9]\d{6,14}$/

/** A number as it is dialled from abroad. People write it with spaces, dashes, dots and brackets. */
function parsePhone(text: string): string {
  const phone = text.replaceAll(/[\s().-]/g, '')
  if (!phoneShape.test(phone)) throw badInput('phone', 'A phone number begins with + and the country code.')
  return phone
}

function parseLocale(tag: string): string {
  try {
    const [locale] = tag.length > 35 ? [] : Intl.getCanonicalLocales(tag)
    if (locale) return locale
  } catch {
    // Not a BCP 47 tag.
  }
  throw badInput('locale', 'A locale is a BCP 47 tag such as en.')
}
