import { badInput, ServiceError, signInFirst } from '#platform/errors.ts'
import { parseText } from '#platform/input.ts'

export const roles = ['CUSTOMER', 'SUPPORT', 'MANAGER', 'ADMIN'] as const
export type Role = (typeof roles)[number]

export type User = {
  readonly id: string
  readonly name: string
  /** Trimmed and in lower case. */
  readonly email: string
  /** When its owner proved to read the mail of the address. Null for one that is not proven. */
  readonly emailVerifiedAt: Date | null
  /** E.164, such as `+4930123456`. */
  readonly phone: string | null
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

/** What a refresh token is known by: its own hash, and that of the first token of its session, which it begins with. */
export type RefreshHashes = { readonly hash: string; readonly firstHash: string }

/** On whose behalf something is asked: nobody's that is known, where `sub` is null. */
export type Viewer = { readonly sub: string | null; readonly scopes: readonly string[] }

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
export function maySeeUser(viewer: Viewer, userId: string): boolean {
  return viewer.sub === userId || viewer.scopes.includes('users:read')
}

/** The caller's account id. Throws UNAUTHENTICATED for nobody. */
export function requireAccount({ sub }: Viewer): string {
  if (sub === null) throw signInFirst()
  return sub
}

/** Throws UNAUTHENTICATED for nobody and FORBIDDEN for a caller without the scope. */
export function requireScope(viewer: Viewer, scope: string): void {
  requireAccount(viewer)
  if (!viewer.scopes.includes(scope)) throw new ServiceError('FORBIDDEN', `This needs the scope ${scope}.`)
}

/** At least one role, each once, in the order of the list. Throws BAD_USER_INPUT. */
export function parseRoles(wanted: readonly Role[]): Role[] {
  const chosen = roles.filter((role) => wanted.includes(role))
  if (chosen.length === 0) throw badInput('roles', 'An account has at least one role.')
  return chosen
}

/** Someone must be able to give roles. Throws ILLEGAL_TRANSITION. */
export function requireAnAdmin(otherAdmins: number): void {
  if (otherAdmins === 0) throw new ServiceError('ILLEGAL_TRANSITION', 'The last administrator cannot go.')
}

/** What lists of accounts are searched for. Undefined for nothing. Throws BAD_USER_INPUT. */
export function parseSearch(search: string | null | undefined): string | undefined {
  return search?.trim() ? parseText('search', search, 100) : undefined
}
