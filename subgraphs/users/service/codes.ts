import { ServiceError } from '#platform/errors.ts'
import type { User } from '../domain/account.ts'
import { type CodePurpose, codeWindow, hashCode } from '../domain/code.ts'
import type { UsersDependencies } from './dependencies.ts'

type CodesDependencies = Pick<
  UsersDependencies,
  'store' | 'sendCode' | 'inBackground' | 'newCode' | 'codeLifetime' | 'now'
>

/** Seconds after which a refused caller may try again. */
const retryAfter = 5

/**
 * Mails one-time codes, in the background: how long an answer takes tells nothing about whether there is an account, and
 * no answer waits for mail. A mail that fails is tried again as long as its code is good. Codes for a new password, which
 * anybody may ask for, are bounded for each account.
 */
export function createCodes({ store, sendCode, inBackground, newCode, codeLifetime, now }: CodesDependencies) {
  /** Whose code it is comes out when the work is done: nobody's, where `find` finds nobody. */
  function mailTo(find: () => Promise<User | undefined>, purpose: CodePurpose): () => Promise<void> {
    let found: { user: User | undefined } | undefined
    let mail: { user: User; code: string; expiresAt: Date } | undefined

    async function issue() {
      found ??= { user: await find() }
      const { user } = found
      if (!user) return undefined
      const code = newCode()
      const createdAt = now()
      const expiresAt = new Date(createdAt.getTime() + codeLifetime * 1000)
      const kept = { purpose, email: user.email, hash: hashCode(code), createdAt, expiresAt }
      // No longer than codes are good for: whoever gets no more has good ones.
      const window = Math.min(codeWindow, codeLifetime)
      const issued = await store.putCode(user.id, kept, new Date(expiresAt.getTime() - window * 1000))
      return issued ? { user, code, expiresAt } : undefined
    }

    return async () => {
      mail ??= await issue()
      if (!mail) return
      const { user, code, expiresAt } = mail
      const lifetime = Math.floor((expiresAt.getTime() - now().getTime()) / 1000)
      if (lifetime > 0) await sendCode({ user, purpose, code, lifetime })
    }
  }

  return {
    /** Throws OVERLOADED when too many wait already. */
    send(find: () => Promise<User | undefined>, purpose: CodePurpose): void {
      if (inBackground(mailTo(find, purpose))) return
      throw new ServiceError('OVERLOADED', 'Too busy now, try again.', { subgraph: 'users', retryAfter })
    },
    /** Mails a code where there is room for it. The person can ask for another. */
    sendIfPossible(user: User, purpose: CodePurpose): void {
      inBackground(mailTo(async () => user, purpose))
    },
  }
}

export type Codes = ReturnType<typeof createCodes>
