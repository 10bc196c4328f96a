import { userErased, userUpdated } from '#contracts/events.ts'
import { badInput, notFound, ServiceError } from '#platform/errors.ts'
import { requireAccount, requireAnAdmin, type User } from '../domain/account.ts'
import { hashCode, wrongCode } from '../domain/code.ts'
import { changeProfile, normalizeEmail, type ProfileChange, parseProfileChange } from '../domain/profile.ts'
import type { Attempts } from './attempts.ts'
import type { Codes } from './codes.ts'
import type { Caller, UsersDependencies } from './dependencies.ts'
import { takeOne } from './quotas.ts'
import { createReauthentication, requireSamePassword } from './reauthentication.ts'

/** What people do with their own account. */
export function createProfileUseCases(dependencies: UsersDependencies, codes: Codes, attempts: Attempts) {
  const { store, codeQuota, audit, now } = dependencies
  const reauthenticate = createReauthentication(dependencies, attempts)

  async function requireUser(id: string): Promise<User> {
    const account = await store.findById(id)
    if (!account) throw notFound('user')
    return account.user
  }

  const chargeCode = (id: string) => takeOne(codeQuota, id, 'Too many codes were asked for. Try again later.')

  return {
    /**
     * Changes what is given. Another address needs the password, is not proven, and gets a code by mail. Throws
     * BAD_USER_INPUT, INVALID_CREDENTIALS, RATE_LIMITED after too many of them or of codes, EMAIL_TAKEN, UNAUTHENTICATED or
     * NOT_FOUND.
     */
    async updateProfile(
      caller: Caller,
      input: ProfileChange & { currentPassword?: string | null | undefined },
    ): Promise<User> {
      const id = requireAccount(caller)
      const change = parseProfileChange(input)
      const before = await requireUser(id)
      const movesTo = change.email !== undefined && change.email !== before.email ? change.email : undefined
      if (movesTo && input.currentPassword == null) {
        throw badInput('currentPassword', 'Another e-mail address needs the current password.')
      }
      const verified = movesTo ? await reauthenticate(caller, id, input.currentPassword ?? '') : undefined
      if (movesTo) await chargeCode(id)
      // Without the password the address stays as it is now, also when it was another a moment ago.
      const { email: _, ...rest } = change
      const user = await store.changeAccount(id, now(), (account) => {
        if (verified) requireSamePassword(account, verified)
        const changed = changeProfile(account.user, movesTo ? change : rest)
        if (!changed) return { events: [] }
        const { name, email, locale, phone } = changed
        return {
          user: changed,
          ...(email !== account.user.email && { dropCodes: ['RESET_PASSWORD', 'VERIFY_EMAIL'] as const }),
          events: [userUpdated.of({ userId: id, name, email, locale, phone })],
        }
      })
      if (!user) throw notFound('user')
      if (movesTo) {
        codes.sendIfPossible(user, 'VERIFY_EMAIL')
        audit({ action: 'email.changed', actor: id, target: id, address: caller.address })
      }
      return user
    },

    /**
     * Mails a new code for the caller's address. Throws BAD_USER_INPUT for another address, ILLEGAL_TRANSITION when it is
     * proven already, RATE_LIMITED after too many codes, OVERLOADED, UNAUTHENTICATED or NOT_FOUND.
     */
    async requestEmailVerification(caller: Caller, email: string): Promise<void> {
      const user = await requireUser(requireAccount(caller))
      if (normalizeEmail(email) !== user.email) throw badInput('email', 'This is not the address of the account.')
      if (user.emailVerifiedAt) throw new ServiceError('ILLEGAL_TRANSITION', 'The address is verified already.')
      await chargeCode(user.id)
      codes.send(async () => user, 'VERIFY_EMAIL')
    },

    /** Proves the caller's address by the code that was mailed to it. Throws INVALID_CREDENTIALS or UNAUTHENTICATED. */
    async verifyEmail(caller: Caller, code: string): Promise<User> {
      const id = requireAccount(caller)
      const at = now()
      const redemption = { account: { id }, purpose: 'VERIFY_EMAIL', hash: hashCode(code), at } as const
      const verified = await store.redeemCode(redemption, ({ user }) => ({
        user: { ...user, emailVerifiedAt: at },
        events: [],
      }))
      if (!verified) throw wrongCode()
      audit({ action: 'email.verified', actor: id, target: id, address: caller.address })
      return verified
    },

    /**
     * Removes the caller's account and all that is kept of it here, and tells the other services to forget it too. Throws
     * INVALID_CREDENTIALS, RATE_LIMITED after too many of them, ILLEGAL_TRANSITION for the last administrator,
     * UNAUTHENTICATED or NOT_FOUND.
     */
    async eraseAccount(caller: Caller, password: string): Promise<void> {
      const id = requireAccount(caller)
      const verified = await reauthenticate(caller, id, password)
      const erased = await store.eraseAccount(id, now(), (account, otherAdmins) => {
        requireSamePassword(account, verified)
        if (account.user.roles.includes('ADMIN')) requireAnAdmin(otherAdmins)
        return [userErased.of({ userId: id })]
      })
      if (!erased) throw notFound('user')
      audit({ action: 'account.erased', actor: id, target: id, address: caller.address })
    },
  }
}
