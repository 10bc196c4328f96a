import { Prisma, type PrismaClient } from '#generated/prisma/users/client.ts'
import type { User } from '../domain/account.ts'
import { type CodePurpose, codesAllowed, type OneTimeCode } from '../domain/code.ts'
import { applyChange, type Decide, type Transaction } from './rows.ts'

export type Redemption = {
  /** Whose code it is said to be. */
  account: { email: string } | { id: string }
  purpose: CodePurpose
  hash: string
  at: Date
}

/** All codes of a row, each hash with its expiry. */
const codes = Prisma.sql`(code.earlier || jsonb_build_object(code.hash, code.expires_at))`

export function codeStore(prisma: PrismaClient) {
  return {
    /**
     * Adds a code to those of an account that are good. False when the account has gone or has another address by now, and
     * for a new password when it has `codesAllowed` that expire after `countedFrom`.
     */
    async putCode(
      userId: string,
      { purpose, email, hash, createdAt, expiresAt }: OneTimeCode,
      countedFrom: Date,
    ): Promise<boolean> {
      const added = await prisma.$executeRaw`
        INSERT INTO one_time_codes AS code (user_id, purpose, email, hash, created_at, expires_at)
        SELECT id, ${purpose}::code_purpose, email, ${hash}, ${createdAt}, ${expiresAt}
        FROM users WHERE id = ${userId}::uuid AND email = ${email}
        ON CONFLICT (user_id, purpose) DO UPDATE SET
          email = excluded.email, hash = excluded.hash, created_at = excluded.created_at, expires_at = excluded.expires_at,
          earlier = (
            SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each_text(${codes})
            WHERE value::timestamptz > excluded.created_at AND code.email = excluded.email)
        WHERE code.purpose <> 'RESET_PASSWORD' OR ${codesAllowed} > (
          SELECT count(*) FROM jsonb_each_text(${codes}) WHERE value::timestamptz > ${countedFrom})`
      return added > 0
    },

    /**
     * Uses up a code, and with it every other of its purpose, and lets `decide` say what becomes of the account, in one
     * transaction. Undefined for a code that is not good, which changes nothing; what `decide` throws leaves the codes as they
     * were.
     *
     * Guarantee: of an account's codes for a purpose one is used, however many tries come at once.
     */
    redeemCode(redemption: Redemption, decide: Decide): Promise<User | undefined> {
      return prisma.$transaction(async (tx) => {
        const [used] = await useCode(tx, redemption)
        return used && applyChange(tx, used.user_id, redemption.at, decide)
      })
    },
  }
}

/** Only for a code that is good the account is locked, before the code as everywhere: a refusal writes nothing. */
function useCode(tx: Transaction, { account, purpose, hash, at }: Redemption): Promise<{ user_id: string }[]> {
  const id = 'id' in account ? account.id : null
  const email = 'email' in account ? account.email : null
  const good = Prisma.sql`
    code.purpose = ${purpose}::code_purpose AND (${codes} ->> ${hash}::text)::timestamptz > ${at}`
  return tx.$queryRaw`
    WITH account AS (
      SELECT users.id FROM users JOIN one_time_codes AS code ON code.user_id = users.id AND code.email = users.email
      WHERE (users.id = ${id}::uuid OR users.email = ${email}) AND ${good}
      FOR UPDATE OF users
    )
    DELETE FROM one_time_codes AS code USING account WHERE code.user_id = account.id AND ${good}
    RETURNING code.user_id`
}
