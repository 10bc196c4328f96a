import type { PrismaClient } from '#generated/prisma/users/client.ts'

/** Rows that one statement deletes. */
const batchSize = 5_000
/** Milliseconds that a session which is over is kept, for whoever looks into what happened. */
const endedSessionAge = 7 * 86_400_000

export function retentionStore(prisma: PrismaClient) {
  return {
    /**
     * Deletes sessions that were over for 7 days with their tokens, codes that are good no longer, and what was told of
     * accounts that were erased since. True when there is more.
     */
    async forgetEnded(at: Date): Promise<boolean> {
      const ended = new Date(at.getTime() - endedSessionAge)
      const deleted = [
        await prisma.$executeRaw`
          DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ${ended} LIMIT ${batchSize})`,
        await prisma.$executeRaw`
          DELETE FROM one_time_codes WHERE (user_id, purpose) IN (
            SELECT user_id, purpose FROM one_time_codes WHERE expires_at < ${at} LIMIT ${batchSize})`,
        // Events that waited for the relay when their account was erased.
        await prisma.$executeRaw`
          DELETE FROM outbox WHERE id IN (
            SELECT told.id FROM outbox AS told JOIN outbox AS erased USING (key)
            WHERE erased.type = 'user.erased' AND told.type <> 'user.erased' AND told.sent_at IS NOT NULL
            LIMIT ${batchSize})`,
      ]
      return deleted.includes(batchSize)
    },
  }
}
