import { Prisma, type PrismaClient } from '#generated/prisma/users/client.ts'

/** Rows that one statement deletes: as many as it can in good time. */
const batchSize = 5_000
/** Milliseconds that a session which is over is kept, for whoever looks into what happened. */
const endedSessionAge = 7 * 86_400_000

export function retentionStore(prisma: PrismaClient) {
  /** Tokens before their sessions: a session may have any number of them from before only two were kept. */
  async function forgetSessions(endedBefore: Date): Promise<number> {
    const oldest = Prisma.sql`
      SELECT id FROM sessions WHERE expires_at < ${endedBefore} ORDER BY expires_at, id LIMIT ${batchSize}`
    const tokens = await prisma.$executeRaw`
      DELETE FROM refresh_tokens WHERE hash IN (
        SELECT hash FROM refresh_tokens WHERE session_id IN (${oldest}) LIMIT ${batchSize})`
    return tokens === batchSize ? tokens : prisma.$executeRaw`DELETE FROM sessions WHERE id IN (${oldest})`
  }

  const forgetCodes = (at: Date) => prisma.$executeRaw`
    DELETE FROM one_time_codes WHERE (user_id, purpose) IN (
      SELECT user_id, purpose FROM one_time_codes WHERE expires_at < ${at} LIMIT ${batchSize})`

  /** Events that waited for the relay when their account was erased. */
  const forgetErased = () => prisma.$executeRaw`
    DELETE FROM outbox WHERE id IN (
      SELECT told.id FROM outbox AS told JOIN outbox AS erased USING (key)
      WHERE erased.type = 'user.erased' AND told.type <> 'user.erased' AND told.sent_at IS NOT NULL
      LIMIT ${batchSize})`

  return {
    /**
     * Deletes sessions that were over for 7 days with their tokens, codes that are good no longer, and what was told of
     * accounts that were erased since. True when there is more. Rejects when one of them failed, which stops no other.
     */
    async forgetEnded(at: Date): Promise<boolean> {
      const endedBefore = new Date(at.getTime() - endedSessionAge)
      const outcomes = await Promise.allSettled([forgetSessions(endedBefore), forgetCodes(at), forgetErased()])
      const deleted = outcomes.map((outcome) => {
        if (outcome.status === 'rejected') throw outcome.reason
        return outcome.value
      })
      return deleted.includes(batchSize)
    },
  }
}
