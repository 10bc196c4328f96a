import type { Audit } from '#platform/audit.ts'
import type { Principal } from '#platform/principal.ts'
import type { Quota } from '#platform/quota.ts'
import type { Passwords } from '../credentials/passwords.ts'
import type { Tokens } from '../credentials/tokens.ts'
import { type RefreshHashes, type SignedIn, scopesOf, type User } from '../domain/account.ts'
import type { CodeMail } from '../domain/code.ts'
import type { UsersStore } from '../store.ts'

export type UsersDependencies = {
  store: UsersStore
  passwords: Passwords
  /** Whether many people have a password, which is given in lower case. */
  isCommonPassword: (password: string) => boolean
  tokens: Tokens
  hashRefreshToken: (token: string) => RefreshHashes
  /** Mails a one-time code. Rejects when it could not be handed over. */
  sendCode: (mail: CodeMail) => Promise<void>
  /** Takes on work that nobody waits for. It runs again when it rejects. False when there is no room for it. */
  inBackground: (task: () => Promise<void>) => boolean
  /** A one-time code as people type it. */
  newCode: () => string
  /** Seconds that a one-time code is good for. */
  codeLifetime: number
  /** Wrong passwords: for an account from one network address, and for all accounts from one. */
  attemptQuotas: { ofAccount: Quota; ofAddress: Quota }
  /** Codes that one account may have mailed to its address, or to one that is to be. */
  codeQuota: Quota
  /** Changes of one account's password by who knows it, of each of which its owner is told. */
  passwordQuota: Quota
  audit: Audit
  now: () => Date
  newId: () => string
}

/** Who asks, and from where. */
export type Caller = Pick<Principal, 'sub' | 'scopes' | 'address'>

/** Days that a session lasts without a new sign-in. */
const sessionDays = 30

/** Begins sessions: what is to be stored of one, and its tokens for when it is. */
export function createSessions({ tokens, now, newId }: Pick<UsersDependencies, 'tokens' | 'now' | 'newId'>) {
  async function signedIn(user: User, sessionId: string, refreshToken: string): Promise<SignedIn> {
    const accessToken = await tokens.access({ userId: user.id, sessionId, scopes: scopesOf(user.roles) })
    return { accessToken, refreshToken, expiresIn: tokens.lifetime, user }
  }

  function begin(userId: string) {
    const refresh = tokens.refresh()
    const createdAt = now()
    const expiresAt = new Date(createdAt.getTime() + sessionDays * 86_400_000)
    const session = { id: newId(), userId, createdAt, expiresAt, refreshHash: refresh.hash }
    return { session, signedIn: (user: User) => signedIn(user, session.id, refresh.token) }
  }

  return { begin, signedIn }
}
