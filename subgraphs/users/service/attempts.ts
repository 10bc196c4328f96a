import { networkOf } from '#platform/address.ts'
import { hasCode, ServiceError } from '#platform/errors.ts'
import type { Charge, Quota } from '#platform/quota.ts'
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

  /** Attempts under way in this process, by account and by network. */
  const underWay = new Map<string, Set<Promise<unknown>>>()

  /** Charges for an attempt. One that is refused for what is under way waits, since that may turn out to be right. */
  async function charge(quota: Quota, key: string): Promise<Charge> {
    for (;;) {
      const charged = await quota.charge(key)
      if (charged.allowed) return charged
      // Those that were charged at the same moment are under way only after it.
      await new Promise((resolve) => setImmediate(resolve))
      const others = underWay.get(key)
      if (!others) return charged
      await Promise.race(others)
    }
  }

  /** Does what may still turn out right or wrong, and lets those behind it see when it has. */
  function follow<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = work()
    const settled = result.then(
      () => {},
      () => {},
    )
    const attempts = underWay.get(key) ?? new Set()
    underWay.set(key, attempts.add(settled))
    void settled.then(() => {
      attempts.delete(settled)
      if (attempts.size === 0) underWay.delete(key)
    })
    return result
  }

  async function verified<T>(account: string, network: string | undefined, verify: () => Promise<T>): Promise<T> {
    const giveBack = async () => network !== undefined && (await ofAddress.giveBack(network))
    try {
      const result = await verify()
      await ofAccount.forget(account)
      await giveBack()
      return result
    } catch (error) {
      if (!hasCode(error, 'INVALID_CREDENTIALS')) {
        await ofAccount.giveBack(account)
        await giveBack()
      }
      throw error
    }
  }

  return {
    /**
     * Asks for a password. Charged before it is verified, so that attempts made at once do not slip past the limit, and
     * given back unless INVALID_CREDENTIALS comes of it; a right password clears the account's failures from this address.
     * Throws RATE_LIMITED.
     */
    async guard<T>(caller: Caller, email: string, verify: () => Promise<T>): Promise<T> {
      const { account, network } = keysOf(caller, email)
      const own = await charge(ofAccount, account)
      if (!own.allowed) throw refuse(caller, own.resetSeconds)
      return follow(account, async () => {
        if (network === undefined) return verified(account, network, verify)
        const all = await charge(ofAddress, network)
        if (!all.allowed) {
          await ofAccount.giveBack(account)
          throw refuse(caller, all.resetSeconds)
        }
        return follow(network, () => verified(account, network, verify))
      })
    },

    /** Clears an account's failures from the caller's address: who proved to read its mail may try again. */
    async forgive(caller: Caller, email: string): Promise<void> {
      await ofAccount.forget(keysOf(caller, email).account)
    },
  }
}

export type Attempts = ReturnType<typeof createAttempts>
