import { badInput } from '#platform/errors.ts'
import { parseText } from '#platform/input.ts'

export type Role = 'CUSTOMER' | 'SUPPORT' | 'MANAGER' | 'ADMIN'

export type User = {
  readonly id: string
  readonly name: string
  /** Trimmed and in lower case. */
  readonly email: string
  readonly locale: string
  readonly roles: readonly Role[]
  readonly createdAt: Date
}

/** A session with its first or next pair of tokens. */
export type SignedIn = {
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds until the access token expires. */
  readonly expiresIn: number
  readonly user: User
}

export type Registration = {
  readonly name: string
  readonly email: string
  readonly password: string
  readonly locale: string
}

const scopes: Record<Role, readonly string[]> = {
  CUSTOMER: [],
  SUPPORT: ['users:read', 'orders:read'],
  MANAGER: ['users:read', 'catalog:write', 'orders:read', 'orders:fulfil', 'payments:refund'],
  ADMIN: ['users:read', 'users:write', 'catalog:write', 'orders:read', 'orders:fulfil', 'payments:refund'],
}

export function scopesOf(roles: readonly Role[]): string[] {
  return [...new Set(roles.flatMap((role) => scopes[role]))].sort()
}

/** An account is seen by its owner and by callers who may read all. */
export function maySeeUser(viewer: { sub: string | null; scopes: readonly string[] }, userId: string): boolean {
  return viewer.sub === userId || viewer.scopes.includes('users:read')
}

/** A registration by the rules, in the form in which it is kept. Throws BAD_USER_INPUT. */
export function parseRegistration(input: Registration): Registration {
  return {
    name: parseText('name', input.name, 100),
    email: parseEmail(input.email),
    password: parsePassword(input.password),
    locale: parseLocale(input.locale),
  }
}

/** Addresses that differ in surrounding spaces or letter case are the same address. */
export function normalizeEmail(email: string): string {
  return email.trim().normalize('NFC').toLowerCase()
}

/** Passwords that look the same are the same, however the keyboard composed them (NIST SP 800-63B, 5.1.1.2). */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC')
}

/** Only mail that arrives proves an address; this refuses what cannot be one. */
const emailShape = /^[^\s@"(),:;<>[\\\]\p{Cc}]{1,64}@[^\s@.\p{Cc}]+(\.[^\s@.\p{Cc}]+)+$/u

function parseEmail(text: string): string {
  const email = normalizeEmail(text)
  if (email.length > 254 || !emailShape.test(email)) {
    throw badInput('email', 'This is not an e-mail address.')
  }
  return email
}

function parsePassword(text: string): string {
  const password = normalizePassword(text)
  const { length } = [...password]
  if (length < 8 || length > 128) throw badInput('password', 'A password has 8 to 128 characters.')
  return password
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
