import type { Prisma } from '#generated/prisma/notifications/client.ts'

type Transaction = Prisma.TransactionClient

/** The advisory locks by which what is written about an account and its erasure take turns: those of `is_erased`, too. */
const accountLocks = 7_340_021

/**
 * Makes an erasure that comes wait, and waits for one under way. True when there was one: then nothing may be written about the
 * account. A statement behind it sees what is committed by then.
 */
export async function isErased(tx: Transaction, userId: string): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ erased: boolean }[]>`SELECT is_erased(${userId}::uuid) AS erased`
  return row?.erased ?? false
}

/** Waits for all that is written about the account, and makes what comes wait. A statement behind it sees what is committed by then. */
export async function lockAccount(tx: Transaction, userId: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${accountLocks}::int, hashtext(${userId}::uuid::text))`
}
