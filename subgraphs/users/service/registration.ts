import { userRegistered } from '#contracts/events.ts'
import type { SignedIn, User } from '../domain/account.ts'
import { refuseGuessable } from '../domain/password.ts'
import { parseRegistration, type Registration } from '../domain/profile.ts'
import type { NewSession } from '../store/rows.ts'
import type { Codes } from './codes.ts'
import { type Caller, createSessions, type UsersDependencies } from './dependencies.ts'

/** New accounts. Each gets a code by mail to prove its address, and works before that. */
export function createRegistration(dependencies: UsersDependencies, codes: Codes) {
  const { store, passwords, isCommonPassword, audit, now, newId } = dependencies
  const sessions = createSessions(dependencies)

  async function create(caller: Caller, input: Registration, begin: (userId: string) => NewSession | undefined) {
    const { password, ...account } = parseRegistration(input)
    refuseGuessable('password', password, { isCommon: isCommonPassword, owner: account })
    const passwordHash = await passwords.hash(password)
    const user: User = { ...account, id: newId(), emailVerifiedAt: null, roles: ['CUSTOMER'], createdAt: now() }
    const session = begin(user.id)
    const { id: userId, name, email, locale, phone } = user
    await store.createUser({
      user,
      passwordHash,
      ...(session && { session }),
      events: [userRegistered.of({ userId, name, email, locale, phone })],
    })
    audit({ action: 'account.registered', actor: userId, target: userId, address: caller.address })
    codes.sendIfPossible(user, 'VERIFY_EMAIL')
    return user
  }

  return {
    /** Throws BAD_USER_INPUT or EMAIL_TAKEN. */
    createUser: (caller: Caller, input: Registration): Promise<User> => create(caller, input, () => undefined),

    /** Creates an account and signs it in. Throws BAD_USER_INPUT or EMAIL_TAKEN. */
    async register(caller: Caller, input: Registration): Promise<SignedIn> {
      let begun: ReturnType<typeof sessions.begin> | undefined
      const user = await create(caller, input, (userId) => {
        begun = sessions.begin(userId)
        return begun.session
      })
      if (!begun) throw new Error('No session was begun.')
      return begun.signedIn(user)
    },
  }
}
