import { userPasswordChanged } from '#contracts/events.ts'
import { notFound } from '#platform/errors.ts'
import { requireAccount, type SignedIn } from '../domain/account.ts'
import { hashCode, wrongCode } from '../domain/code.ts'
import { parsePassword, refuseGuessable } from '../domain/password.ts'
import { isEmail, normalizeEmail } from '../domain/profile.ts'
import type { Attempts } from './attempts.ts'
import type { Codes } from './codes.ts'
import { type Caller, createSessions, type UsersDependencies } from './dependencies.ts'
import { takeOne } from './quotas.ts'
import { createReauthentication, requireSamePassword } from './reauthentication.ts'

/** A new password. It ends every session there is and begins one. */
export function createPasswordUseCases(dependencies: UsersDependencies, codes: Codes, attempts: Attempts) {
  const { store, passwords, passwordQuota, isCommonPassword: isCommon, audit, now } = dependencies
  const sessions = createSessions(dependencies)
  const reauthenticate = createReauthentication(dependencies, attempts)

  return {
    /**
     * Throws BAD_USER_INPUT, INVALID_CREDENTIALS for a wrong current password, RATE_LIMITED after too many of them, or of
     * changes, UNAUTHENTICATED or NOT_FOUND.
     */
    async changePassword(caller: Caller, input: { currentPassword: string; newPassword: string }): Promise<SignedIn> {
      const id = requireAccount(caller)
      const password = parsePassword('newPassword', input.newPassword)
      const verified = await reauthenticate(caller, id, input.currentPassword)
      refuseGuessable('newPassword', password, { isCommon, owner: verified.user })
      await takeOne(passwordQuota, id, 'The password was changed too often. Try again later.')
      const passwordHash = await passwords.hash(password)
      const { session, signedIn } = sessions.begin(id)
      const user = await store.changeAccount(id, session.createdAt, (account) => {
        requireSamePassword(account, verified)
        const events = [userPasswordChanged.of({ userId: id })]
        return { passwordHash, endSessions: true, session, dropCodes: ['RESET_PASSWORD'], events }
      })
      if (!user) throw notFound('user')
      audit({ action: 'password.changed', actor: id, target: id, address: caller.address })
      return signedIn(user)
    },

    /**
     * Mails a code to the address if it has an account. What is done for one that has happens after the answer, so that
     * neither the answer nor its time tells. Nothing is done for what is no address. Throws OVERLOADED, whatever the address.
     */
    requestPasswordReset({ address }: Caller, text: string): void {
      const email = normalizeEmail(text)
      if (!isEmail(email)) return
      codes.send(async () => {
        const account = await store.findByEmail(email)
        const target = account?.user.id
        audit({ action: 'password.reset_requested', actor: null, ...(target && { target }), address })
        return account?.user
      }, 'RESET_PASSWORD')
    },

    /**
     * Sets a password by a code that was mailed, which also proves the address. Throws BAD_USER_INPUT, and
     * INVALID_CREDENTIALS in the same words and after the same time whatever is wrong with the code or the address.
     */
    async resetPassword(
      caller: Caller,
      input: { email: string; code: string; newPassword: string },
    ): Promise<SignedIn> {
      const { address } = caller
      const email = normalizeEmail(input.email)
      const password = parsePassword('newPassword', input.newPassword)
      refuseGuessable('newPassword', password, { isCommon, owner: { email } })
      // Before the code is looked at: the longest part takes place whatever the code is.
      const passwordHash = await passwords.hash(password)
      const at = now()
      let begun: ReturnType<typeof sessions.begin> | undefined
      const redemption = { account: { email }, purpose: 'RESET_PASSWORD', hash: hashCode(input.code), at } as const
      const redeem = () =>
        store.redeemCode(redemption, ({ user }) => {
          refuseGuessable('newPassword', password, { isCommon, owner: user })
          begun = sessions.begin(user.id)
          return {
            user: { ...user, emailVerifiedAt: user.emailVerifiedAt ?? at },
            passwordHash,
            endSessions: true,
            session: begun.session,
            dropCodes: ['VERIFY_EMAIL'],
            events: [userPasswordChanged.of({ userId: user.id })],
          }
        })
      const user = isEmail(email) ? await redeem() : undefined
      if (!user || !begun) {
        audit({ action: 'session.refused', actor: null, address, detail: { code: 'INVALID_CREDENTIALS' } })
        throw wrongCode()
      }
      await attempts.forgive(caller, email)
      audit({ action: 'password.reset', actor: user.id, target: user.id, address })
      return begun.signedIn(user)
    },
  }
}
