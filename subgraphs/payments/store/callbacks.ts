import type { Prisma, PrismaClient } from '#generated/prisma/payments/client.ts'

/** Rows that one statement deletes. */
const batchSize = 5_000
/** Milliseconds that a callback is remembered: much longer than any provider sends it again. */
const keptFor = 45 * 86_400_000

export function callbackStore(prisma: PrismaClient) {
  return {
    /** Forgets callbacks that had their effect more than 45 days ago. True when there is more. */
    async forgetCallbacks(at: Date): Promise<boolean> {
      const old = new Date(at.getTime() - keptFor)
      const deleted = await prisma.$executeRaw`
        DELETE FROM callbacks WHERE id IN (SELECT id FROM callbacks WHERE received_at < ${old} LIMIT ${batchSize})`
      return deleted === batchSize
    },
  }
}

/** False when the callback had its effect before. */
export async function recordCallback(tx: Prisma.TransactionClient, id: string): Promise<boolean> {
  const inserted = await tx.$executeRaw`INSERT INTO callbacks (id) VALUES (${id}) ON CONFLICT DO NOTHING`
  return inserted > 0
}
