import type { PrismaClient } from '#generated/prisma/users/client.ts'
import type { User } from '../domain/account.ts'
import { type CodePurpose, type OneTimeCode, wrongTriesAllowed } from '../domain/code.ts'
import { applyChange, type Decide, type Transaction } from './rows.ts'

export type Redemption = {
  /** Whose code it is said to be. */
  account: { email: string } | { id: string }
  purpose: CodePurpose
  hash: string
  at: Date
}

type Tried = { user_id: string; good: boolean }

export function codeStore(prisma: PrismaClient) {
  return {
    /** Puts a code in the place of the account's last one. False when the account has gone or has another address by now. */
    async putCode(userId: string, { purpose, email, hash, createdAt, expiresAt }: OneTimeCode): Promise<boolean> {
      const added = await prisma.$executeRaw`
        INSERT INTO one_time_codes (user_id, purpose, email, hash, created_at, expires_at)
        SELECT id, ${purpose}::code_purpose, email, ${hash}, ${createdAt}, ${expiresAt}
        FROM users WHERE id = ${userId}::uuid AND email = ${email}
        ON CONFLICT (user_id, purpose) DO UPDATE SET
          email = excluded.email, hash = excluded.hash, created_at = excluded.created_at,
          expires_at = excluded.expires_at, wrong_tries = 0`
      return added > 0
    },

    /**
     * Uses up a code and lets `decide` say what becomes of its account, in one transaction. Undefined for a code that is not
     * good, which counts as a wrong try; what `decide` throws leaves the code as it was.
     *
     * Guarantee: a code is used once, and not at all after its last wrong try, however many tries come at once.
     */
    redeemCode({ account, purpose, hash, at }: Redemption, decide: Decide): Promise<User | undefined> {
      return prisma.$transaction(async (tx) => {
        const [tried] = await tryCode(tx, account, purpose, hash, at)
        if (tried?.good) {
          await tx.oneTimeCode.delete({ where: { userId_purpose: { userId: tried.user_id, purpose } } })
          return applyChange(tx, tried.user_id, at, decide)
        }
        // A refusal costs a commit that is written to disk also where there is no account whose try is counted.
        await tx.$executeRaw`SELECT pg_logical_emit_message(true, 'users', 'code refused')`
        return undefined
      })
    },
  }
}

/** Counts a try and says whether it is the one. The account is locked before its code, as everywhere. */
function tryCode(
  tx: Transaction,
  account: Redemption['account'],
  purpose: CodePurpose,
  hash: string,
  at: Date,
): Promise<Tried[]> {
  const id = 'id' in account ? account.id : null
  const email = 'email' in account ? account.email : null
  return tx.$queryRaw<Tried[]>`
    WITH account AS (SELECT id, email FROM users WHERE id = ${id}::uuid OR email = ${email} FOR UPDATE)
    UPDATE one_time_codes AS code SET wrong_tries = wrong_tries + 1
    FROM account
    WHERE code.user_id = account.id AND code.purpose = ${purpose}::code_purpose AND wrong_tries < ${wrongTriesAllowed}
    RETURNING code.user_id, hash = ${hash} AND expires_at > ${at} AND code.email = account.email AS good`
}
