import { ServiceError } from '#platform/errors.ts'
import type { Quota } from '#platform/quota.ts'

/** Takes one from what an account may do. Throws RATE_LIMITED with these words when nothing is left. */
export async function takeOne(quota: Quota, accountId: string, message: string): Promise<void> {
  const { allowed, resetSeconds: retryAfter } = await quota.charge(accountId)
  if (!allowed) throw new ServiceError('RATE_LIMITED', message, { retryAfter })
}
