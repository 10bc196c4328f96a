import { networkOf } from '#platform/address.ts'
import { hasCode, ServiceError } from '#platform/errors.ts'
import type { Caller, UsersDependencies } from './dependencies.ts'

/**
 * Bounds the guessing of passwords by what fails: for one account from one network address, so that nobody can lock another
 * out, and for all accounts from one address. Accounts are told apart by their e-mail address alone, so that one that does
 * not exist is guarded in the same way.
 */
export function createAttempts({ attemptQuotas, audit }: Pick<UsersDependencies, 'attemptQuotas' | 'audit'>) {
  const { ofAccount, ofAddress } = attemptQuotas

  /** Callers without a network address are one to each account, and not counted together. */
  function keysOf({ address }: Caller, email: string): { account: string; network: string | undefined } {
    const network = address === null ? undefined : networkOf(address)
    return { account: `${network ?? 'nowhere'} ${email}`, network }
  }

  function refuse({ sub, address }: Caller, retryAfter: number): ServiceError {
    const code = 'RATE_LIMITED'
    audit({ action: 'session.refused', actor: sub, address, detail: { code } })
    return new ServiceError(code, 'Too many wrong passwords. Try again later.', { retryAfter })
  }

  return {
    /**
     * Asks for a password. Charged before it is verified, so that attempts made at once do not slip past the limit, and
     * given back unless INVALID_CREDENTIALS comes of it; a right password clears the account's failures from this address.
     * Throws RATE_LIMITED.
     */
    async guard<T>(caller: Caller, email: string, verify: () => Promise<T>): Promise<T> {
      const { account, network } = keysOf(caller, email)
      const own = await ofAccount.charge(account)
      if (!own.allowed) throw refuse(caller, own.resetSeconds)
      if (network !== undefined) {
        const all = await ofAddress.charge(network)
        if (!all.allowed) {
          await ofAccount.giveBack(account)
          throw refuse(caller, all.resetSeconds)
        }
      }
      try {
        const verified = await verify()
        await ofAccount.forget(account)
        if (network !== undefined) await ofAddress.giveBack(network)
        return verified
      } catch (error) {
        if (!hasCode(error, 'INVALID_CREDENTIALS')) {
          await ofAccount.giveBack(account)
          if (network !== undefined) await ofAddress.giveBack(network)
        }
        throw error
      }
    },

    /** Clears an account's failures from the caller's address: who proved to read its mail may try again. */
    async forgive(caller: Caller, email: string): Promise<void> {
      await ofAccount.forget(keysOf(caller, email).account)
    },
  }
}

export type Attempts = ReturnType<typeof createAttempts>
