import { notFound, ServiceError } from '#platform/errors.ts'
import { normalizePassword } from '../domain/password.ts'
import type { Account } from '../store/rows.ts'
import type { Attempts } from './attempts.ts'
import type { Caller, UsersDependencies } from './dependencies.ts'

/**
 * Asks for the password once more before what a stolen access token must not do. Returns the account with the hash that was
 * compared, to see to it in the change that it is still the same. Throws INVALID_CREDENTIALS, RATE_LIMITED after too many of
 * them, here or at sign-ins, or NOT_FOUND for an account that is gone.
 */
export function createReauthentication(
  { store, passwords }: Pick<UsersDependencies, 'store' | 'passwords'>,
  attempts: Attempts,
) {
  return async function reauthenticate(caller: Caller, id: string, password: string): Promise<Account> {
    const account = await store.findById(id)
    if (!account) throw notFound('user')
    await attempts.guard(caller, account.user.email, async () => {
      if (!(await passwords.verify(account.passwordHash, normalizePassword(password)))) throw wrongPassword()
    })
    return account
  }
}

/** Throws INVALID_CREDENTIALS when the password that was verified is not the account's any more. */
export function requireSamePassword(now: Account, verified: Account): void {
  if (now.passwordHash !== verified.passwordHash) throw wrongPassword()
}

function wrongPassword(): ServiceError {
  return new ServiceError('INVALID_CREDENTIALS', 'The password is wrong.')
}
