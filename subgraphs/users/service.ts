import { userRegistered } from '#contracts/events.ts'
import { notFound, ServiceError } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import type { Passwords } from './credentials/passwords.ts'
import type { Tokens } from './credentials/tokens.ts'
import {
  normalizeEmail,
  normalizePassword,
  parseRegistration,
  type Registration,
  type SignedIn,
  scopesOf,
  type User,
} from './domain.ts'
import type { UsersStore } from './store.ts'

export type UsersDependencies = {
  store: UsersStore
  passwords: Passwords
  tokens: Tokens
  hashRefreshToken: (token: string) => string
  now: () => Date
  newId: () => string
}

/** Days that a session lasts without a new sign-in. */
const sessionDays = 30

export function createUsersService({ store, passwords, tokens, hashRefreshToken, now, newId }: UsersDependencies) {
  function newSession(userId: string, refreshHash: string) {
    const createdAt = now()
    const expiresAt = new Date(createdAt.getTime() + sessionDays * 86_400_000)
    return { id: newId(), userId, createdAt, expiresAt, refreshHash }
  }

  async function signedIn(user: User, sessionId: string, refreshToken: string): Promise<SignedIn> {
    const accessToken = await tokens.access({ userId: user.id, sessionId, scopes: scopesOf(user.roles) })
    return { accessToken, refreshToken, expiresIn: tokens.lifetime, user }
  }

  return {
    /** Throws BAD_USER_INPUT or EMAIL_TAKEN. */
    async register(input: Registration): Promise<SignedIn> {
      const { password, ...account } = parseRegistration(input)
      const user: User = { ...account, id: newId(), roles: ['CUSTOMER'], createdAt: now() }
      const refresh = tokens.refresh()
      const session = newSession(user.id, refresh.hash)
      await store.createUser({
        user,
        passwordHash: await passwords.hash(password),
        session,
        events: [userRegistered.of({ userId: user.id, name: user.name, email: user.email, locale: user.locale })],
      })
      return signedIn(user, session.id, refresh.token)
    },

    /** Throws INVALID_CREDENTIALS, after the same time and in the same words whether the address is known or not. */
    async login(credentials: { email: string; password: string }): Promise<SignedIn> {
      const account = await store.findByEmail(normalizeEmail(credentials.email))
      const valid = await passwords.verify(account?.passwordHash, normalizePassword(credentials.password))
      if (!account || !valid) {
        throw new ServiceError('INVALID_CREDENTIALS', 'The e-mail address or the password is wrong.')
      }
      const refresh = tokens.refresh()
      const session = newSession(account.user.id, refresh.hash)
      await store.createSession(session)
      return signedIn(account.user, session.id, refresh.token)
    },

    /**
     * Exchanges a refresh token for a new pair. A token that was exchanged before ends its session.
     * Throws UNAUTHENTICATED.
     */
    async refreshSession(refreshToken: string): Promise<SignedIn> {
      const next = tokens.refresh()
      const exchange = await store.exchangeRefreshToken({
        hash: hashRefreshToken(refreshToken),
        nextHash: next.hash,
        at: now(),
      })
      if (!exchange) throw new ServiceError('UNAUTHENTICATED', 'The session has ended. Sign in again.')
      return signedIn(exchange.user, exchange.sessionId, next.token)
    },

    /** Throws NOT_FOUND. */
    async user(text: string): Promise<User> {
      const id = parseId(text)
      const [user] = id ? await store.findUsers([id]) : []
      if (!user) throw notFound('user')
      return user
    },
  }
}

export type UsersService = ReturnType<typeof createUsersService>
