import type { SqlTransaction } from './outbox.ts'

/**
 * Records, within the transaction of its effect, that an event is handled. False when it already was: then the
 * transaction must have no effect.
 *
 * Guarantee: an event that arrives twice, also at the same time, has its effect once.
 */
export async function recordInInbox(transaction: SqlTransaction, eventId: string): Promise<boolean> {
  const inserted = await transaction.$executeRaw`
    INSERT INTO inbox (event_id) VALUES (${eventId}::uuid) ON CONFLICT DO NOTHING`
  return inserted > 0
}
