import { userSignedIn } from '#contracts/events.ts'
import { ServiceError } from '#platform/errors.ts'
import type { SignedIn, User } from '../domain/account.ts'
import { normalizePassword } from '../domain/password.ts'
import { isEmail, normalizeEmail } from '../domain/profile.ts'
import type { Attempts } from './attempts.ts'
import { type Caller, createSessions, type UsersDependencies } from './dependencies.ts'

/** Signing in, staying signed in, and no longer. */
export function createSessionUseCases(dependencies: UsersDependencies, attempts: Attempts) {
  const { store, passwords, tokens, hashRefreshToken, audit, now } = dependencies
  const sessions = createSessions(dependencies)

  async function signIn(caller: Caller, email: string, password: string): Promise<SignedIn> {
    const account = isEmail(email) ? await store.findByEmail(email) : undefined
    const valid = await passwords.verify(account?.passwordHash, password)
    if (!account || !valid) throw refuse(caller, account?.user.id)
    const { id } = account.user
    const rehashed = passwords.isOutdated(account.passwordHash) ? await passwords.hash(password) : undefined
    const { session, signedIn } = sessions.begin(id)
    const events = [userSignedIn.of({ userId: id })]
    if (!rehashed && (await store.beginSession(account, session, events))) return begun(account.user)
    // Another event of the account came between, or its password is to be written too.
    let changedSince = false
    const user = await store.changeAccount(id, session.createdAt, ({ passwordHash }) => {
      changedSince = passwordHash !== account.passwordHash
      if (changedSince) return { events: [] }
      return { ...(rehashed && { passwordHash: rehashed }), session, events }
    })
    if (!user) throw refuse(caller, id)
    // The password, or only the way it is hashed: asked again of what is there now.
    if (changedSince) return signIn(caller, email, password)
    return begun(user)

    function begun(user: User): Promise<SignedIn> {
      audit({ action: 'session.started', actor: id, target: id, address: caller.address })
      return signedIn(user)
    }
  }

  function refuse({ address }: Caller, target: string | undefined): ServiceError {
    const code = 'INVALID_CREDENTIALS'
    audit({ action: 'session.refused', actor: null, ...(target && { target }), address, detail: { code } })
    return new ServiceError(code, 'The e-mail address or the password is wrong.')
  }

  return {
    /**
     * Throws INVALID_CREDENTIALS, after the same time and in the same words whether the address is known or not, and
     * RATE_LIMITED after too many of them.
     */
    login(caller: Caller, credentials: { email: string; password: string }): Promise<SignedIn> {
      const email = normalizeEmail(credentials.email)
      return attempts.guard(caller, email, () => signIn(caller, email, normalizePassword(credentials.password)))
    },

    /**
     * Exchanges a refresh token for a new pair, with the scopes of the roles that the account has now. A token that was
     * exchanged before ends its session. Throws UNAUTHENTICATED.
     */
    async refreshSession({ address }: Caller, refreshToken: string): Promise<SignedIn> {
      const next = tokens.refresh(refreshToken)
      const hashes = hashRefreshToken(refreshToken)
      const exchange = await store.exchangeRefreshToken({ ...hashes, nextHash: next.hash, at: now() })
      if (exchange.outcome === 'exchanged') return sessions.signedIn(exchange.user, exchange.sessionId, next.token)
      if (exchange.outcome === 'reused') {
        const { userId: target, sessionId } = exchange
        audit({ action: 'session.reuse_detected', actor: null, target, address, detail: { sessionId } })
      } else {
        audit({ action: 'session.refused', actor: null, address, detail: { code: 'UNAUTHENTICATED' } })
      }
      throw new ServiceError('UNAUTHENTICATED', 'The session has ended. Sign in again.')
    },

    /** Ends the session of a refresh token. One that is unknown or whose session is over is answered the same. */
    async logout({ address }: Caller, refreshToken: string): Promise<void> {
      const userId = await store.endSession(hashRefreshToken(refreshToken), now())
      if (userId) audit({ action: 'session.ended', actor: userId, target: userId, address })
    },

    /** Whose an access token is, if its session goes on. Throws UNAUTHENTICATED. */
    async validateToken(token: string): Promise<User> {
      const claims = await tokens.verify(token)
      const user = claims && (await store.userOfSession(claims.sessionId, now()))
      if (!user || user.id !== claims.userId) {
        throw new ServiceError('UNAUTHENTICATED', 'The access token is not valid.')
      }
      return user
    },
  }
}
