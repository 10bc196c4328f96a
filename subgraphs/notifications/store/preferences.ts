import type { PrismaClient } from '#generated/prisma/notifications/client.ts'
import type { Preference } from '../domain/preference.ts'
import { isErased } from './accounts.ts'

/** What people said about channels and types. */
export function preferenceStore(prisma: PrismaClient) {
  return {
    findPreferences: (userId: string): Promise<Preference[]> => prisma.preference.findMany({ where: { userId } }),

    /** Puts all of these. False, and without effect, for an account that is erased. */
    putPreferences(userId: string, preferences: readonly Preference[]): Promise<boolean> {
      return prisma.$transaction(async (tx) => {
        if (await isErased(tx, userId)) return false
        // In one order, so that two requests cannot wait for each other.
        await tx.$executeRaw`
          INSERT INTO preferences (user_id, channel, type, enabled)
          SELECT ${userId}::uuid, channel::channel, type::notification_type, enabled
          FROM jsonb_to_recordset(${JSON.stringify(preferences)}::jsonb) AS p (channel text, type text, enabled boolean)
          ORDER BY channel, type
          ON CONFLICT (user_id, channel, type) DO UPDATE SET enabled = EXCLUDED.enabled`
        return true
      })
    },
  }
}
